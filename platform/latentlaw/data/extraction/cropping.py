"""Cutting boxes out of a tomogram store, a region of whole chunks at a time."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.tomograms.store import Tomogram

_WHOLE_VOXEL = 1e-4  # offsets smaller than a STAR file's rounding are none
# Voxels; 64 MiB as float32. Regions of 128 take as long for boxes of 32, and more for larger ones,
# which straddle them; with 512 the writer waits for the first: 1.9 s where 256 takes 1.3 s.
_REGION_EDGE = 256
Box = NDArray[np.float32]


@dataclass(frozen=True)
class RegionTask:
    """A region of whole chunks, and the boxes that touch it.

    Attributes
    ----------
    numbers
        What the caller calls the boxes, `(n,)`.
    corners
        First voxels zyx of the boxes with their margin `(n, 3)`; may lie outside the tomogram.
    fractions
        What is left of the positions, less than a voxel, `(n, 3)` zyx.
    wide
        Edge of a box with a margin of a voxel on each side.
    """

    tomogram: Tomogram
    region: tuple[slice, ...]
    numbers: NDArray[np.int64]
    corners: NDArray[np.int64]
    fractions: NDArray[np.float64]
    wide: int


@dataclass(frozen=True)
class Piece:
    """Part of a box that reaches into other regions.

    Attributes
    ----------
    number
        What the caller calls the box.
    where
        Slices of z, y, x in the box with its margin.
    values
        Voxels `(z, y, x)` that belong there.
    """

    number: int
    where: tuple[slice, ...]
    values: NDArray[Any]


@dataclass(frozen=True)
class RegionBoxes:
    """What a region gives: boxes `(k, b, b, b)` that it holds whole, pieces of the others."""

    numbers: NDArray[np.int64]
    boxes: Box
    pieces: list[Piece]


@dataclass
class OpenBox:
    """A box being put together.

    Attributes
    ----------
    voxels, filled
        The box with its margin, and which of its voxels are known, `(z, y, x)` both.
    due
        Regions that have still to give a piece.
    """

    voxels: Box
    filled: NDArray[np.bool_]
    due: int

    def add(self, piece: Piece) -> bool:
        """Put a piece in its place; return whether it was the last."""
        self.voxels[piece.where] = piece.values
        self.filled[piece.where] = True
        self.due -= 1
        return not self.due


def plan_regions(
    tomogram: Tomogram,
    corners: NDArray[np.int64],
    fractions: NDArray[np.float64],
    wide: int,
) -> Iterator[RegionTask]:
    """Yield a task for each region that a box touches, z slowest.

    Regions are whole chunks and do not overlap, so each chunk is read by one task, once.

    Parameters
    ----------
    tomogram
        To read the regions of.
    corners, fractions, wide
        As in `RegionTask`, of all boxes: `(n, 3)` zyx in voxels, and the edge with its margin.
    """
    chunks, shape = tomogram.levels[0].chunks, tomogram.shape
    edges = [chunk * max(1, _REGION_EDGE // chunk) for chunk in chunks]
    spans = [range(0, size, edge) for size, edge in zip(shape, edges, strict=True)]
    for corner in itertools.product(*spans):
        low = np.array(corner)
        high = np.minimum(low + edges, shape)
        touched = np.flatnonzero(((corners < high) & (corners + wide > low)).all(axis=1))
        if len(touched):
            region = tuple(map(slice, low.tolist(), high.tolist()))
            yield RegionTask(tomogram, region, touched, corners[touched], fractions[touched], wide)


def cut_region(task: RegionTask) -> RegionBoxes:
    """Read the part of the region that boxes touch, in one read, and cut them out."""
    low = np.array([part.start for part in task.region])
    high = np.array([part.stop for part in task.region])
    first = np.maximum(task.corners, low)
    last = np.minimum(task.corners + task.wide, high)
    origin, end = first.min(axis=0), last.max(axis=0)
    voxels = task.tomogram.read(tuple(map(slice, origin.tolist(), end.tolist())))
    shape = np.array(task.tomogram.shape)
    inside = (first == np.maximum(task.corners, 0)).all(axis=1)
    inside &= (last == np.minimum(task.corners + task.wide, shape)).all(axis=1)
    within = _slices(first - origin, last - origin)
    places = _slices(first - task.corners, last - task.corners)
    whole = np.flatnonzero(inside)
    boxes = np.empty((len(whole), *[task.wide - 2] * 3), np.float32)
    for box, i in zip(boxes, whole, strict=True):
        margined = _with_outside(voxels[within[i]], places[i], task.wide)
        box[:] = centred_box(margined, task.fractions[i])
    pieces = [
        Piece(int(task.numbers[i]), places[i], voxels[within[i]].copy())
        for i in np.flatnonzero(~inside)
    ]
    return RegionBoxes(task.numbers[whole], boxes, pieces)


def _slices(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> list[tuple[slice, ...]]:
    return [tuple(map(slice, *ends)) for ends in zip(starts.tolist(), stops.tolist(), strict=True)]


def open_box(wide: int, due: int) -> OpenBox:
    """Return an empty box that waits for pieces of `due` regions."""
    return OpenBox(np.zeros((wide,) * 3, np.float32), np.zeros((wide,) * 3, bool), due)


def pad_value(voxels: Box, filled: NDArray[np.bool_]) -> Box:
    """Fill what lies outside the tomogram with the mean of the finite voxels inside.

    The outermost layer is a margin for interpolation only: where it alone is outside, it repeats
    the face, so that a box which just fits is not changed by what is beyond it.

    Parameters
    ----------
    voxels, filled
        As in `OpenBox`, `(z, y, x)` both.
    """
    if filled.all():
        return voxels
    inner = (slice(1, -1),) * voxels.ndim
    if filled[inner].all():
        return np.where(filled, voxels, np.pad(voxels[inner], 1, mode="edge"))
    known = voxels[filled]
    known = known[np.isfinite(known)]
    mean = known.mean(dtype=np.float64) if len(known) else np.nan
    return np.where(filled, voxels, np.float32(mean))


def centred_box(wide: NDArray[Any], fraction: NDArray[np.float64]) -> NDArray[Any]:
    """Take a fraction of a voxel out of a box by linear interpolation, and its margin off.

    Parameters
    ----------
    wide
        `(b + 2, b + 2, b + 2)`, with a margin of a voxel on each side.
    fraction
        At most half a voxel, `(3,)` zyx.

    Returns
    -------
    ndarray
        `(b, b, b)`.
    """
    for axis, part in enumerate(fraction.tolist()):
        size = wide.shape[axis] - 2
        before = (slice(None),) * axis
        here = wide[(*before, slice(1, size + 1))]
        if abs(part) < _WHOLE_VOXEL:
            wide = here
            continue
        step = 1 if part > 0 else -1
        beside = wide[(*before, slice(1 + step, size + 1 + step))]
        wide = np.multiply(here, 1 - abs(part), dtype=np.float32)
        wide += np.multiply(beside, abs(part), dtype=np.float32)
    return wide


def _with_outside(values: NDArray[Any], where: tuple[slice, ...], wide: int) -> NDArray[Any]:
    """Return the box with its margin: `values` as they are, or with what is outside filled in."""
    if values.shape == (wide,) * values.ndim:
        return values
    box = open_box(wide, 1)
    box.add(Piece(0, where, values))
    return pad_value(box.voxels, box.filled)
