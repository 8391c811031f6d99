"""Orthogonal slices of a volume: a tomogram, of which only the chunks on view are read, or a box.

A plane is named by its axes, the horizontal one first but for `yz`, which stands beside `xy` with
the same vertical axis y.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.tomograms.store import Region, Tomogram

Plane = Literal["xy", "xz", "yz"]
PLANES: tuple[Plane, ...] = get_args(Plane)
_ACROSS: dict[Plane, int] = {"xy": 0, "xz": 1, "yz": 2}
_EDGE = 512


@dataclass(frozen=True)
class Volume:
    """What slices are cut from.

    Attributes
    ----------
    read
        Returns the voxels of a region `(z, y, x)`.
    shape
        Voxels `(z, y, x)`.
    voxel_size_a
        Edge of a voxel in angstrom, or None where it is not known.
    shift_a
        Place of the centre of the first voxel, on each axis: not 0 in coarser levels of a pyramid.
    """

    read: Callable[[Region], NDArray[Any]]
    shape: tuple[int, int, int]
    voxel_size_a: float | None
    shift_a: float = 0.0

    @property
    def step(self) -> float:
        """Edge of a voxel in the units that places are in: angstrom, or voxels."""
        return self.voxel_size_a or 1.0

    def place(self, index: int) -> float:
        """Return the place of a voxel's centre along an axis."""
        return self.shift_a + index * self.step

    def index(self, axis: int, place: float) -> int:
        """Return the voxel nearest to a place along `axis`."""
        nearest = round((place - self.shift_a) / self.step)
        return int(np.clip(nearest, 0, self.shape[axis] - 1))

    def slab(self, plane: Plane, place: float, *, planes: int = 1) -> NDArray[np.float64]:
        """Return the mean of the `planes` nearest to `place` on the axis across.

        `xy` is `(y, x)`, `xz` is `(z, x)` and `yz` is `(y, z)`.
        """
        axis = _ACROSS[plane]
        middle = self.index(axis, place)
        low = middle - planes // 2
        region = [slice(0, size) for size in self.shape]
        region[axis] = slice(max(low, 0), min(low + planes, self.shape[axis]))
        z, y, x = region
        mean = np.asarray(self.read((z, y, x))).mean(axis=axis, dtype=np.float64)
        return np.asarray(mean.T if plane == "yz" else mean)


def level_within(tomogram: Tomogram, edge: int = _EDGE) -> int:
    """Return the finest level whose planes have edges of at most `edge` voxels, else the last."""
    fits = [i for i, a in enumerate(tomogram.levels) if max(a.shape) <= edge]
    return fits[0] if fits else len(tomogram.levels) - 1


def tomogram_volume(tomogram: Tomogram, level: int | None = None) -> Volume:
    """Return a level of a tomogram's pyramid, by default the finest that is quick to look at."""
    chosen = level_within(tomogram) if level is None else level
    z, y, x = tomogram.levels[chosen].shape
    scale = 2**chosen
    return Volume(
        lambda region: tomogram.read(region, chosen),
        (z, y, x),
        tomogram.voxel_size_a * scale,
        tomogram.voxel_size_a * (scale - 1) / 2,
    )


def particle_volume(stack: ParticleStack, row: int) -> Volume:
    """Return the first channel of one particle of a stack; an image is a volume of one plane."""
    box = stack.read(np.array([row]))[0, 0]
    values = box if box.ndim == 3 else box[None]
    z, y, x = values.shape
    return Volume(lambda region: values[region], (z, y, x), stack.voxel_size_a)
