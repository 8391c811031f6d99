"""Random rotations and missing wedges: drawn as data, so that they can be logged and replayed."""

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from latentlaw.errors import ConfigError
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images
from latentlaw.geometry.wedges import Wedges, apply_wedges

Augmentation = Literal["none", "flip", "rotate", "rotate-flip"]


class Wedge(BaseModel):
    """Missing wedges to train with, besides the one that turns with the particle.

    Tilt ranges are uniform between `low_deg` and `high_deg`. A `fixed` wedge is the microscope's,
    tilt axis y and beam z; a `random` one has any direction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low_deg: float = Field(40, gt=0, le=90)
    high_deg: float = Field(70, gt=0, le=90)
    direction: Literal["fixed", "random"] = "random"

    @model_validator(mode="after")
    def _check_order(self) -> "Wedge":
        if self.low_deg > self.high_deg:
            raise ConfigError(
                f"wedge: found tilt ranges from {self.low_deg:g} to {self.high_deg:g} degrees, "
                "expected the smaller first"
            )
        return self


@dataclass(frozen=True)
class Transforms:
    """What is done to each of `n` images, in this order; None: nothing.

    Attributes
    ----------
    matrices
        Rotations and reflections `(n, dims, dims)` for `rotate_images`.
    wedges
        Missing wedges of the turned images.
    """

    matrices: Tensor | None = None
    wedges: Wedges | None = None

    def __getitem__(self, part: slice) -> "Transforms":
        """Return what is done to a stretch of the images."""
        return Transforms(
            None if self.matrices is None else self.matrices[part],
            None if self.wedges is None else self.wedges[part],
        )


def draw_transforms(
    kind: Augmentation,
    n: int,
    dims: int,
    generator: torch.Generator,
    *,
    wedge: Wedge | None = None,
) -> Transforms:
    """Draw transforms for `n` images; `rotate-flip` also mirrors half of them.

    `flip` mirrors each axis of half of them: the axes of aligned images stay, though not which way
    they point, which skewness tells poorly of an object that is nearly symmetric.

    Raises
    ------
    ConfigError
        If a wedge is asked for in images that are not volumes.
    """
    check_wedge(wedge, dims)
    matrices = None
    if kind == "flip":
        matrices = torch.diag_embed(2.0 * torch.randint(2, (n, dims), generator=generator) - 1)
    elif kind != "none":
        matrices = random_rotations(n, dims, generator)
        if kind == "rotate-flip":
            matrices[torch.rand(n, generator=generator) < 0.5, :, 0] *= -1
    if wedge is None:
        return Transforms(matrices)
    spread = wedge.high_deg - wedge.low_deg
    ranges = wedge.low_deg + spread * torch.rand(n, 1, generator=generator)
    if wedge.direction == "fixed":
        return Transforms(matrices, Wedges(ranges, torch.eye(3).expand(n, 1, 3, 3)))
    return Transforms(matrices, Wedges(ranges, random_rotations(n, 3, generator)[:, None]))


def check_wedge(wedge: Wedge | None, dims: int) -> None:
    """Refuse a missing wedge in what is not a volume.

    Raises
    ------
    ConfigError
        If a wedge is asked for in images of other than 3 spatial axes.
    """
    if wedge is not None and dims != 3:
        raise ConfigError(
            "wedge: found images, expected volumes, which alone lack a wedge; use wedge=none"
        )


def apply_transforms(images: Tensor, transforms: Transforms) -> Tensor:
    """Turn images `(n, c, [z,] y, x)` of background 0, then take what their tilts do not reach."""
    if transforms.matrices is not None:
        images = rotate_images(images, transforms.matrices)
    return images if transforms.wedges is None else apply_wedges(images, transforms.wedges)


def known_wedges(transforms: Transforms, n: int, tilt_range_deg: float | None) -> Wedges | None:
    """Return all that `n` images lack once they are transformed; None: that is not known.

    Parameters
    ----------
    transforms
        What the images are transformed by.
    n
        Number of images.
    tilt_range_deg
        Of the tilt series that the images are from; its wedge turns with them.
    """
    if tilt_range_deg is None:
        return None
    wedges = Wedges.unturned(n, tilt_range_deg)
    if transforms.matrices is not None:
        wedges = wedges.turned(transforms.matrices)
    return wedges if transforms.wedges is None else wedges.joined(transforms.wedges)
