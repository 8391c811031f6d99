"""The configuration that, with a weights file, is a model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from latentlaw.errors import ConfigError
from latentlaw.losses.reconstruction import ReconstructionKind
from latentlaw.models.normalisation import Normalisation

Family = Literal["affinity-vae", "beta-vae", "tc-vae", "autoencoder"]
DecoderKind = Literal["conv", "splat"]
NormKind = Literal["batch", "group", "none"]
_MOST_HALVINGS = 6


class ModelConfig(BaseModel):
    """Architecture of an autoencoder of images `(c, [z,] y, x)`.

    Attributes
    ----------
    tilt_range
        Half-angle in degrees of the tilt series that the volumes are from (tilt axis y, beam along
        z): outputs and poses are compared with images at the frequencies that it reaches. None:
        not known, and images are taken as whole.
    voxel_size_a
        Edge in angstrom of a voxel of the images that it was trained on. None: not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    image_shape: tuple[PositiveInt, ...] = Field(min_length=3, max_length=4)
    latent_dims: int = Field(8, ge=1, le=512)
    pose_dims: int = Field(ge=0, le=64)
    decoder: DecoderKind = "conv"
    channels: int = Field(16, ge=1, le=1024)
    depth: int = Field(ge=0, le=8)
    norm: NormKind = "group"
    splats: int = Field(128, ge=1, le=8192)
    final_channels: int = Field(0, ge=0, le=1024)
    reconstruction: ReconstructionKind = "mse"
    normalisation: Normalisation = Normalisation()
    tilt_range: float | None = Field(None, gt=0, lt=90)
    voxel_size_a: float | None = Field(None, gt=0, allow_inf_nan=False)

    @property
    def dims(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return len(self.image_shape) - 1

    @property
    def variational(self) -> bool:
        """Whether latents are sampled from a posterior."""
        return self.family != "autoencoder"

    @property
    def explicit_pose(self) -> bool:
        """Whether the pose is an orientation, which the splat decoder turns Gaussians by."""
        return self.decoder == "splat" and self.pose_dims > 0

    @model_validator(mode="after")
    def _check_sizes(self) -> "ModelConfig":
        step = 2**self.depth
        if any(size % step for size in self.image_shape[1:]):
            raise ConfigError(
                f"depth: found {self.depth}, which halves a box {self.depth} times, expected a "
                f"box {self.image_shape[1:]} divisible by {step}; use "
                f"depth={deepest(self.image_shape[1:])} or another box"
            )
        if self.final_channels and self.decoder != "splat":
            raise ConfigError(
                f"final_channels: found {self.final_channels} and decoder=conv, expected 0, since "
                "they come after Gaussians; use decoder=splat or final_channels=0"
            )
        if self.tilt_range is not None and (self.dims != 3 or self.reconstruction != "mse"):
            raise ConfigError(
                f"tilt_range: found {self.tilt_range:g} degrees for {self.dims}-D images and "
                f"reconstruction={self.reconstruction}, expected volumes and mse; use "
                "tilt_range=none"
            )
        turned = self.normalisation.alignment != "none"
        if turned and (self.tilt_range is not None or self.explicit_pose):
            raise ConfigError(
                f"alignment: found {self.normalisation.alignment}, which rotates each image, so "
                "that neither its missing wedge nor its pose in the box is known; use "
                "alignment=none, or tilt_range=none and decoder=conv"
            )
        wanted = splat_pose_dims(self.dims)
        if self.decoder == "splat" and self.pose_dims not in (0, wanted):
            raise ConfigError(
                f"pose_dims: found {self.pose_dims}, expected the {wanted} of the splat decoder "
                f"in {self.dims}-D; use pose_dims=auto"
            )
        return self


def deepest(sizes: tuple[int, ...], *, smallest: int = 1) -> int:
    """Return how often all sizes halve exactly without falling below `smallest` voxels.

    Down to one voxel where they can: what does not change when a particle turns is of the whole
    box, and a linear layer on several voxels cannot learn it (docs/experiments.md).
    """
    depth = 0
    while depth < _MOST_HALVINGS and all(
        size % 2 ** (depth + 1) == 0 and size >> (depth + 1) >= smallest for size in sizes
    ):
        depth += 1
    return depth


def splat_pose_dims(dims: int) -> int:
    """Numbers of an explicit pose: a quaternion in 3-D, cosine and sine of an angle in 2-D."""
    return 4 if dims == 3 else 2


def default_pose_dims(dims: int, decoder: DecoderKind, family: Family) -> int:
    """Pose numbers where none are asked for; only the affinity-VAE keeps pose apart."""
    if family != "affinity-vae":
        return 0
    if decoder == "splat":
        return splat_pose_dims(dims)
    return 3 if dims == 3 else 2
