"""Parameters of `train`, and which of them exclude each other."""

from typing import Annotated, Literal

from latentlaw.data.particles.splits import FOLDS
from latentlaw.errors import ConfigError
from latentlaw.geometry.moments import Alignment
from latentlaw.losses.divergence import TCEstimator
from latentlaw.losses.reconstruction import ReconstructionKind
from latentlaw.losses.schedules import ScheduleKind
from latentlaw.models.config import DecoderKind, Family, NormKind
from latentlaw.models.normalisation import NormalisationKind
from latentlaw.training.augmentation import Augmentation
from latentlaw.training.devices import DeviceName, PrecisionName
from pydantic import BeforeValidator, Field, NonNegativeFloat

from pipelines.cli.parameters import split_commas
from pipelines.training.keeping import Keeping
from pipelines.training.prior import Projection

Auto = Literal["auto"]
Names = Annotated[tuple[str, ...] | None, BeforeValidator(split_commas)]


class Train(Keeping):
    """Train an autoencoder on a particle stack and log it as a model."""

    data: str = Field(description="particle stack, NAME.particles.zarr")
    affinity: str | None = Field(None, description="affinity CSV; none: no prior")
    affinity_projection: Projection = Field(
        "nearest",
        description="train on the nearest prior that latent cosines can meet, or on it as it is",
    )
    model: Family = Field("affinity-vae", description="family of the model")
    decoder: DecoderKind = Field(
        "conv", description="decoder; splat: Gaussians that the pose rotates"
    )
    latent_dims: int = Field(8, ge=1, le=512, description="dimensions of the latent space")
    pose_dims: Auto | Annotated[int, Field(ge=0, le=64)] = Field(
        "auto",
        description="numbers of the pose, kept apart from the latent; auto: as the decoder "
        "and family need",
    )
    beta: NonNegativeFloat = Field(
        1e-3, description="weight of the KL divergence, which is in nats"
    )
    gamma: NonNegativeFloat = Field(1.0, description="weight of the affinity term")
    tc: NonNegativeFloat = Field(
        4e-3, description="weight of the total correlation, which is in nats, of a tc-vae"
    )
    tc_estimator: TCEstimator = Field(
        "stratified",
        description="densities of a batch: minibatch-stratified, or minibatch-weighted sampling",
    )
    schedule: ScheduleKind = Field(
        "constant", description="course of beta and gamma over the epochs"
    )
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the data")
    batch_size: int = Field(64, ge=2, description="particles per step, of all processes together")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="learning rate of AdamW")
    channels: int = Field(
        16,
        ge=1,
        le=1024,
        description="channels of the first convolution; each further one has twice as many",
    )
    depth: Auto | Annotated[int, Field(ge=0, le=8)] = Field(
        "auto",
        description="convolutions of stride 2, each of which halves the box; auto: as many "
        "as it allows",
    )
    norm: NormKind = Field("group", description="normalisation layer after each convolution")
    splats: int = Field(128, ge=1, le=8192, description="Gaussians of the splat decoder")
    final_channels: int = Field(
        0, ge=0, le=1024, description="channels of a convolution after the Gaussians; 0: none"
    )
    reconstruction: ReconstructionKind = Field(
        "mse", description="term of the loss: squared error, or Bernoulli cross-entropy"
    )
    normalisation: Auto | NormalisationKind = Field(
        "auto",
        description="each image to mean 0 and deviation 1, one intensity scale for all, or "
        "each to [0, 1]; auto: global for a tc-vae, unit for bce, else "
        "particle",
    )
    smoothing: float = Field(
        0.0,
        ge=0,
        le=16,
        description="standard deviation of the Gaussian that blurs images first, voxels; 0: none",
    )
    alignment: Auto | Alignment = Field(
        "auto",
        description="centre and rotate each image by its moments; auto: rotate-flip for "
        "2-D images of a tc-vae, else none",
    )
    augmentation: Auto | Augmentation = Field(
        "auto",
        description="random rotations and mirror images in training; auto: none where "
        "images are aligned, else rotate, or rotate-flip for 2-D images of a "
        "tc-vae",
    )
    wedge: Literal["none", "fixed", "random"] = Field(
        "none",
        description="train with further missing wedges: the microscope's, or of any direction",
    )
    tilt_range: float | None = Field(
        None,
        gt=0,
        lt=90,
        description="half the tilt range of the data, degrees; none: volumes without a "
        "missing wedge",
    )
    hold_out: Names = Field(
        None, description="classes kept from training, comma-separated; none: train on all"
    )
    fold: int | None = Field(
        None,
        ge=0,
        lt=FOLDS,
        description="which of five folds to test on, from 0; none: one that costs no class",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="epochs without a better validation loss after which training stops; "
        "none: never",
    )
    device: DeviceName = Field(
        "auto", description="where to train; auto: a GPU where there is one"
    )
    precision: PrecisionName = Field(
        "auto", description="numbers of the network; auto: bf16 on a GPU that has it, else fp32"
    )
    compile: bool = Field(False, description="generate kernels by torch.compile")


def check(p: Train) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    ConfigError
        Naming the first.
    """
    if p.model == "affinity-vae" and p.gamma > 0 and p.affinity is None:
        raise ConfigError(
            "affinity: found none, expected a CSV of class similarities, for affinity-vae; "
            "make one with the entry affinity, or use gamma=0 or model=beta-vae"
        )
    if p.reconstruction == "bce" and (
        p.normalisation not in ("auto", "unit") or p.wedge != "none"
    ):
        raise ConfigError(
            f"reconstruction: found bce, normalisation={p.normalisation} and wedge={p.wedge}, "
            "expected images in [0, 1]; use normalisation=auto and wedge=none, or "
            "reconstruction=mse"
        )
    if p.affinity is not None and p.model != "affinity-vae":
        raise ConfigError(
            f"affinity: found one, expected none for a {p.model}; use model=affinity-vae"
        )
