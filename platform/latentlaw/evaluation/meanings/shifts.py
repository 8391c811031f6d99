"""Natural shifts: what another day, microscope or focus does to raw images.

All but noise act on the intensity above an image's background (its median outside the foreground),
so that what turns or moves into the box is background too.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from latentlaw.errors import ConfigError, nearest_hint
from latentlaw.evaluation.meanings.image_features import background, foregrounds
from latentlaw.geometry.rotations import angle_to_matrix, quaternion_to_matrix
from latentlaw.geometry.volumes import gaussian_blur, rotate_images

EQUAL_INTENSITY = "equal_intensity"
_POSITIVE = ("noise", "blur", "intensity", "translation")
_KINDS = (*_POSITIVE, "rotation")


@dataclass(frozen=True)
class Shift:
    """A change of raw images, of a kind and a strength.

    * `noise`: Gaussian noise is added, of `strength` standard deviations of the image.
    * `blur`: by a Gaussian of `strength` voxels.
    * `intensity`: it is multiplied by `strength`.
    * `rotation`: by `strength` degrees about the centre voxel, either way; in volumes about a
      random axis.
    * `translation`: by `strength` whole voxels, either way along a random axis.
    * `equal_intensity`, without a strength: each image is scaled so that its total intensity over
      the foreground is the mean of all images', which takes that one cue away.
    """

    kind: str
    strength: float = 0.0

    @property
    def name(self) -> str:
        """As in `noise_0.5`, `equal_intensity`."""
        return self.kind if self.kind == EQUAL_INTENSITY else f"{self.kind}_{self.strength:g}"

    @classmethod
    def parse(cls, text: str) -> "Shift":
        """Return the shift of a name.

        Raises
        ------
        ConfigError
            If the kind is unknown, or the strength not one of that kind.
        """
        if text == EQUAL_INTENSITY:
            return cls(text)
        kind, _, strength = text.rpartition("_")
        try:
            value = float(strength)
        except ValueError:
            value = math.nan
        if kind not in _KINDS or not math.isfinite(value):
            raise ConfigError(
                f"shifts: found {text!r}, expected KIND_STRENGTH of {', '.join(_KINDS)}, or "
                f"{EQUAL_INTENSITY}{nearest_hint(kind or text, (*_KINDS, EQUAL_INTENSITY))}"
            )
        whole = kind != "translation" or value.is_integer()
        if (kind in _POSITIVE and value <= 0) or not whole:
            number = "whole number" if kind == "translation" else "number"
            raise ConfigError(f"shifts: found {text!r}, expected a {number} above 0 as strength")
        return cls(kind, value)


def apply_shift(raw: NDArray[Any], shift: Shift, generator: Generator) -> NDArray[np.float32]:
    """Return raw images `(n, c, [z,] y, x)` shifted, drawing what is random from `generator`.

    Raises
    ------
    ConfigError
        If a translation is as long as an edge of the box.
    """
    images = np.asarray(raw, dtype=np.float32)
    masks = foregrounds(images)
    dark = _backgrounds(images, masks)
    if shift.kind == "noise":
        spread = images.std(axis=tuple(range(1, images.ndim)), keepdims=True)
        noise = torch.randn(images.shape, generator=generator).numpy()
        return np.asarray(images + shift.strength * spread * noise, dtype=np.float32)
    light = images - dark
    if shift.kind == "equal_intensity":
        moved = light * _equalising(light, masks)
    elif shift.kind == "intensity":
        moved = light * shift.strength
    else:
        moved = _blurred_or_moved(torch.from_numpy(light), shift, generator).numpy()
    return np.asarray(dark + moved, dtype=np.float32)


def _backgrounds(images: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the background of each channel of images `(n, c, [z,] y, x)`, `(n, c, 1, …)`."""
    levels = np.empty((*images.shape[:2], *[1] * (images.ndim - 2)), np.float32)
    for place in np.ndindex(images.shape[:2]):
        levels[place] = background(images[place], masks[place])
    return levels


def _equalising(light: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Return the factors `(n, c, 1, …)` to the mean total intensity; 1 for a dark image."""
    axes = tuple(range(2, light.ndim))
    totals = (light * masks).sum(axis=axes, keepdims=True)
    lit = totals > 0
    mean = np.mean(totals, axis=0, keepdims=True, where=lit) if lit.any() else 1.0
    return np.asarray(np.where(lit, mean / np.where(lit, totals, 1), 1))


def _blurred_or_moved(light: Tensor, shift: Shift, generator: Generator) -> Tensor:
    if shift.kind == "blur":
        return gaussian_blur(light, light.new_tensor(shift.strength))
    if shift.kind == "rotation":
        turns = _turns(len(light), light.ndim - 2, math.radians(shift.strength), generator)
        return rotate_images(light, turns)
    return _translated(light, int(shift.strength), generator)


def _turns(n: int, dims: int, angle: float, generator: Generator) -> Tensor:
    """Draw rotations by `angle` radians: `(n, 2, 2)` either way, `(n, 3, 3)` about any axis."""
    if dims == len("yx"):
        way = 2.0 * torch.randint(2, (n,), generator=generator) - 1
        return angle_to_matrix(angle * way)
    axes = torch.randn(n, dims, generator=generator)
    axes = axes / torch.linalg.vector_norm(axes, dim=1, keepdim=True)
    real = torch.full((n, 1), math.cos(angle / 2))
    return quaternion_to_matrix(torch.cat((real, math.sin(angle / 2) * axes), dim=1))


def _translated(light: Tensor, voxels: int, generator: Generator) -> Tensor:
    if voxels >= min(light.shape[2:]):
        raise ConfigError(
            f"shifts: found translation_{voxels}, expected less than the edge of the box, "
            f"{min(light.shape[2:])}"
        )
    dims = light.ndim - 2
    moved = torch.zeros_like(light)
    ways = torch.randint(2 * dims, (len(light),), generator=generator)
    for way in range(2 * dims):
        axis, back = 2 + way // 2, bool(way % 2)
        kept = light.shape[axis] - voxels
        source, goal = (voxels, 0) if back else (0, voxels)
        rows = torch.nonzero(ways == way)[:, 0]
        part = torch.zeros_like(light[rows])
        part.narrow(axis, goal, kept).copy_(light[rows].narrow(axis, source, kept))
        moved[rows] = part
    return moved
