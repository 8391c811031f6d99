"""What parameters come to for images of a shape: architecture and hyperparameters, no auto."""

from latentlaw.geometry.moments import Alignment
from latentlaw.models.config import ModelConfig, deepest, default_pose_dims
from latentlaw.training.augmentation import Wedge, check_wedge
from latentlaw.training.config import TrainConfig, least_samples
from latentlaw.training.devices import check_compiler, pick_device, pick_precision
from latentlaw.training.prepare import PreparedData

from pipelines.training.parameters import Train


def check_box(p: Train, item_shape: tuple[int, ...]) -> None:
    """Refuse options that do not fit images `(c, [z,] y, x)` or this machine, before any is read.

    Raises
    ------
    ConfigError
        If the box does not halve as often as `depth` says; decoder, pose, wedge, device or
        precision do not fit; or there is nothing to compile with.
    """
    architecture(p, item_shape)
    check_wedge(train_config(p, item_shape).wedge, len(item_shape) - 1)
    if p.compile:
        check_compiler(pick_device(p.device))


def train_config(p: Train, item_shape: tuple[int, ...]) -> TrainConfig:
    """Hyperparameters of the run; gamma counts only for the family that has a prior."""
    augmentation = p.augmentation
    if augmentation == "auto":
        cells = len(item_shape) == len("cyx") and p.model == "tc-vae"
        augmentation = "rotate-flip" if cells else "rotate"  # letters and molecules are chiral
        if alignment_of(p, item_shape) != "none":
            augmentation = "none"  # it would undo the alignment
    return TrainConfig(
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        beta=p.beta,
        gamma=p.gamma if p.model == "affinity-vae" else 0.0,
        tc=p.tc,
        tc_estimator=p.tc_estimator,
        schedule=p.schedule,
        augmentation=augmentation,
        wedge=None if p.wedge == "none" else Wedge(direction=p.wedge),
        samples_per_epoch=least_samples(item_shape),
        patience=p.patience,
        precision=pick_precision(p.precision, pick_device(p.device)),
        compile=p.compile,
        seed=p.seed,
    )


def model_config(p: Train, data: PreparedData) -> ModelConfig:
    """Architecture for the shape of the data, with its voxel size and a normalisation learned."""
    kind = p.normalisation
    if kind == "auto" and p.reconstruction == "bce":
        kind = "unit"
    elif kind == "auto":
        kind = "global" if p.model == "tc-vae" else "particle"
    shape = data.images.shape[1:]
    normalisation = data.fit_normalisation(kind, p.smoothing, alignment_of(p, shape))
    learned = {"normalisation": normalisation, "voxel_size_a": data.voxel_size_a}
    return architecture(p, shape).model_copy(update=learned)


def alignment_of(p: Train, item_shape: tuple[int, ...]) -> Alignment:
    """How images `(c, [z,] y, x)` are aligned: where it is left open, cells of a tc-vae are.

    A cell in a dish is its own mirror image; its light stands out from the background, which that
    of a molecule in a tomogram does not.
    """
    if p.alignment != "auto":
        return p.alignment
    return "rotate-flip" if len(item_shape) == len("cyx") and p.model == "tc-vae" else "none"


def architecture(p: Train, item_shape: tuple[int, ...]) -> ModelConfig:
    """Architecture for images `(c, [z,] y, x)`, with what is left at auto filled in."""
    pose = p.pose_dims
    if pose == "auto":
        pose = default_pose_dims(len(item_shape) - 1, p.decoder, p.model)
    return ModelConfig(
        family=p.model,
        image_shape=tuple(item_shape),
        latent_dims=p.latent_dims,
        pose_dims=pose,
        decoder=p.decoder,
        channels=p.channels,
        depth=deepest(item_shape[1:]) if p.depth == "auto" else p.depth,
        norm=p.norm,
        splats=p.splats,
        final_channels=p.final_channels,
        reconstruction=p.reconstruction,
        tilt_range=p.tilt_range,
    )
