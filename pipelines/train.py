"""Train a model on a particle stack."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pandas as pd
import torch
from latentlaw.data.particles.splits import FOLDS, TEST, TRAIN, VAL
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import ConfigError, DataError
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.geometry.moments import Alignment
from latentlaw.losses.divergence import TCEstimator
from latentlaw.losses.reconstruction import ReconstructionKind
from latentlaw.losses.schedules import ScheduleKind
from latentlaw.models.config import (
    DecoderKind,
    Family,
    ModelConfig,
    NormKind,
    deepest,
    default_pose_dims,
)
from latentlaw.models.normalisation import NormalisationKind
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import example_images, log_bundle
from latentlaw.tracking.names import SPLIT
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_metrics,
    log_table,
    log_yaml,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from latentlaw.training.augmentation import Augmentation, Wedge, check_wedge
from latentlaw.training.config import TrainConfig, samples_per_epoch
from latentlaw.training.devices import (
    DeviceName,
    PrecisionName,
    check_compiler,
    pick_device,
    pick_precision,
)
from latentlaw.training.identity import identify
from latentlaw.training.keeping import Keeper, stop_signals
from latentlaw.training.loop import EpochCallback, fit
from latentlaw.training.prepare import PreparedData, prepare
from latentlaw.training.ranks import ALONE, Ranks, joined
from latentlaw.training.seeds import seeded_initialisation
from pydantic import BeforeValidator, Field, NonNegativeFloat

from pipelines.cli.command import ProgressBar, command, use_threads
from pipelines.cli.parameters import split_commas
from pipelines.steps.keeping import Keeping, find_checkpoint, keeping
from pipelines.steps.prior import Prior, Projection

Auto = Literal["auto"]
Names = Annotated[tuple[str, ...] | None, BeforeValidator(split_commas)]


class Train(Keeping):
    """Train an autoencoder on a particle stack and log it as a model."""

    data: str = Field(description="particle stack, NAME.particles.zarr")
    affinity: str | None = Field(None, description="affinity CSV; none: no prior")
    affinity_projection: Projection = Field(
        "nearest", description="make the prior reachable by cosines, or train on it as it is"
    )
    model: Family = Field("affinity-vae", description="family of the model")
    decoder: DecoderKind = Field("conv", description="decoder")
    latent_dims: int = Field(8, ge=1, le=512, description="latent dimensions")
    pose_dims: Auto | Annotated[int, Field(ge=0, le=64)] = Field(
        "auto", description="pose numbers"
    )
    beta: NonNegativeFloat = Field(1e-3, description="weight of KL, nats")
    gamma: NonNegativeFloat = Field(1.0, description="weight of the affinity term")
    tc: NonNegativeFloat = Field(4e-3, description="weight of total correlation, nats (tc-vae)")
    tc_estimator: TCEstimator = Field(
        "stratified", description="of densities in a batch, stratified or minibatch-weighted"
    )
    schedule: ScheduleKind = Field("constant", description="of beta and gamma over the epochs")
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the data")
    batch_size: int = Field(64, ge=2, description="particles a step")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="of AdamW")
    channels: int = Field(16, ge=1, le=1024, description="width of the first convolution")
    depth: Auto | Annotated[int, Field(ge=0, le=8)] = Field("auto", description="halvings")
    norm: NormKind = Field("group", description="normalisation layer")
    splats: int = Field(128, ge=1, le=8192, description="Gaussians of the splat decoder")
    final_channels: int = Field(
        0, ge=0, le=1024, description="of a last convolution after the Gaussians; 0: none"
    )
    reconstruction: ReconstructionKind = Field(
        "mse", description="term of the loss: squared error, or cross-entropy"
    )
    normalisation: Auto | NormalisationKind = Field(
        "auto",
        description="of images: each particle, one global intensity scale, or each to [0, 1]",
    )
    smoothing: float = Field(
        0.0, ge=0, le=16, description="Gaussian that blurs images first, voxels; 1 for noisy ones"
    )
    alignment: Auto | Alignment = Field(
        "auto", description="of images, each centred and turned by its moments of light"
    )
    augmentation: Auto | Augmentation = Field("auto", description="of training images")
    wedge: Literal["none", "fixed", "random"] = Field(
        "none", description="train with missing wedges too, the microscope's or of any direction"
    )
    tilt_range: float | None = Field(
        None,
        gt=0,
        lt=90,
        description="half tilt range of the data, degrees; none: whole volumes",
    )
    hold_out: Names = Field(None, description="classes kept from training, comma-separated")
    fold: int | None = Field(
        None,
        ge=0,
        lt=FOLDS,
        description="of five, to test on; none: one that costs no class",
    )
    patience: int | None = Field(
        None, ge=1, description="epochs without a better validation loss to stop after"
    )
    device: DeviceName = Field("auto", description="where to train")
    precision: PrecisionName = Field("auto", description="bf16 on a GPU that has it")
    compile: bool = Field(False, description="generate kernels by torch.compile")


@dataclass(frozen=True)
class Setup:
    """What a training begins with."""

    stack: ParticleStack
    data: PreparedData
    model: AutoEncoder
    training: TrainConfig
    prior: Prior | None

    @property
    def matrix(self) -> torch.Tensor | None:
        """Affinity that is trained on, `(classes, classes)`, or None."""
        return None if self.prior is None else self.prior.matrix


def start(parameters: Train) -> str | None:
    """Train, alone or with the processes that `torchrun` or `srun` started beside this one.

    The first process alone has a run, and returns its id.
    """
    check(parameters)
    with joined(pick_device(parameters.device)) as ranks:
        if ranks.rank == 0:
            return run(parameters, ranks)
        follow(parameters, ranks)
        return None


def follow(p: Train, ranks: Ranks) -> None:
    """Train along; the first process alone makes the run, keeps it and logs the model."""
    use_threads()
    made = set_up(p)
    with stop_signals() as stop:
        fit_model(made, None, Keeper(None, stop=stop), ranks)


def run(parameters: Train, ranks: Ranks = ALONE) -> str:
    """Train, log the model, and return the run's id; `ranks` are the processes that follow."""
    p = parameters
    check(p)
    found = find_checkpoint(p)
    run_id = None if found is None else found.record.run_id
    with stage_run("train", p.model_dump(), run_id=run_id) as active:
        use_threads()
        made = set_up(p)
        log_set_up(p, made)
        stack, data, device = made.stack, made.data, next(made.model.parameters()).device
        identity = identify(
            settings={
                "model": made.model.config.model_dump(),
                "train": made.training.model_dump(),
                "data": {
                    "hold_out": p.hold_out or (),
                    "classes": data.class_names,
                    "fold": p.fold,
                },
            },
            data_digest=stack.digest,
            affinity=made.matrix,
            device=device.type,
        )
        beside = f" in {ranks.size} processes" if ranks.size > 1 else ""
        say(f"trains on {device.type} in {made.training.precision}{beside}")
        with (
            keeping(p, active, found, identity) as keeper,
            EpochLogger(active.info.run_id) as log,
        ):
            bundle, best = train_bundle(p, made, log, keeper, ranks)
        log_metrics({"train/best_epoch": best})
        split = pd.DataFrame({"particle_id": stack.table["particle_id"], "split": data.split})
        log_table(SPLIT, split)
        log_bundle(bundle, example_images(data.particles(data.rows(TEST))))
        log_yaml("config.yaml", plain(p.begun()))
        return str(active.info.run_id)


def set_up(p: Train) -> Setup:
    """Open and split the data, and make the model on its device."""
    stack = open_stack(p.data)
    shape = stack.images.shape[1:]
    check_box(p, shape)
    data = prepare(stack, seed=p.seed, hold_out=p.hold_out or (), fold=p.fold)
    prior = None
    if p.affinity is not None and p.model == "affinity-vae":
        prior = Prior.read(p.affinity, data.class_names, p.affinity_projection)
    config = model_config(p, data)
    with seeded_initialisation(p.seed):
        model = AutoEncoder(config)
    return Setup(stack, data, model.to(pick_device(p.device)), train_config(p, shape), prior)


def log_set_up(p: Train, made: Setup) -> None:
    """Log what data, prior and model are."""
    if made.prior is not None:
        made.prior.log()
    log_data(p.data, made.stack.digest, made.stack.table, "training")
    tag_run(family=p.model)


def train_bundle(
    p: Train, made: Setup, tell: EpochCallback, keeper: Keeper | None, ranks: Ranks = ALONE
) -> tuple[Bundle, int]:
    """Train the model, fit the classifier head, and return both and the best epoch.

    `tell` hears of each epoch.
    """
    progress = ProgressBar()

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        tell(epoch, metrics)
        progress(epoch + 1, p.epochs, f"train {p.model}")

    best = fit_model(made, on_epoch, keeper, ranks)
    head = trained_head(made.model, made.data)
    return Bundle(made.model.cpu(), head), best


def fit_model(made: Setup, tell: EpochCallback | None, keeper: Keeper | None, ranks: Ranks) -> int:
    """Train the model with the other processes, which then part; return the best epoch."""
    model, data, matrix = made.model, made.data, made.matrix
    best = fit(
        model,
        data.particles(data.rows(TRAIN)),
        data.particles(data.rows(VAL)),
        made.training,
        # On the device once; the loss reads it in every step.
        affinity=None if matrix is None else matrix.to(next(model.parameters()).device),
        on_epoch=tell,
        keeper=keeper,
        ranks=ranks,
    )
    ranks.leave()
    return best


def trained_head(model: AutoEncoder, data: PreparedData) -> LatentHead:
    """Fit a head on the latents of labelled training particles."""
    rows = data.rows(TRAIN, labelled=True)
    codes = embed(model, data.particles(rows)).mu
    held_out = data.rows(VAL)
    known = data.labels[held_out] != ""  # who knows what the others are
    held_out_codes = embed(model, data.particles(held_out)).mu[known]
    return fit_head(codes, data.labels[rows], held_out_codes)


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
        samples_per_epoch=samples_per_epoch(item_shape),
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


def check(p: Train) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    ConfigError, DataError
        Naming the first.
    """
    if p.model == "affinity-vae" and p.gamma > 0 and p.affinity is None:
        raise ConfigError(
            "model affinity-vae with gamma > 0 needs `affinity`, a CSV of class similarities; "
            "make one with the entry affinity, or use gamma=0 or model=beta-vae"
        )
    if p.reconstruction == "bce" and (
        p.normalisation not in ("auto", "unit") or p.wedge != "none"
    ):
        raise ConfigError(
            f"reconstruction bce is of images in [0, 1], found normalisation={p.normalisation} "
            f"and wedge={p.wedge}; use normalisation=auto and wedge=none, or reconstruction=mse"
        )
    if p.affinity is not None and p.model != "affinity-vae":
        raise DataError(f"affinity: a {p.model} has no affinity term; use model=affinity-vae")


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as YAML has them, without tuples."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


if __name__ == "__main__":
    configure_tracking()
    command(Train, start)
