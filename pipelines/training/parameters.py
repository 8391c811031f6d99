"""Parameters of `train`, and which of them exclude each other."""

from typing import Annotated, Literal

from latentlaw.data.particles.splits import FOLDS
from latentlaw.errors import ConfigError, DataError
from latentlaw.geometry.moments import Alignment
from latentlaw.losses.divergence import TCEstimator
from latentlaw.losses.reconstruction import ReconstructionKind
from latentlaw.losses.schedules import ScheduleKind
from latentlaw.models.config import (
    DecoderKind,
    Family,
    NormKind,
)
from latentlaw.models.normalisation import NormalisationKind
from latentlaw.training.augmentation import Augmentation
from latentlaw.training.devices import (
    DeviceName,
    PrecisionName,
)
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
