"""Cutting boxes out of a tomogram store, a shard at a time."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.tomograms import open_tomogram

_WHOLE_VOXEL = 1e-4  # offsets smaller than a STAR file's rounding are none


@dataclass(frozen=True)
class Piece:
    """Part of a box: `values` belong at `where` of box `number`."""

    number: int
    where: tuple[slice, ...]
    values: NDArray[Any]


@dataclass(frozen=True)
class PieceTask:
    """A shard's region, and the boxes of edge `wide` at `corners` `(n, 3)` zyx that touch it."""

    store: str
    region: tuple[slice, ...]
    numbers: NDArray[np.int64]
    corners: NDArray[np.int64]
    wide: int


def cut_pieces(task: PieceTask) -> list[Piece]:
    """Read each chunk of the shard that a box touches once; return pieces, sorted by box."""
    tomogram = open_tomogram(task.store)
    pieces: list[Piece] = []
    edges = tomogram.levels[0].chunks
    spans = [range(s.start, s.stop, edge) for s, edge in zip(task.region, edges, strict=True)]
    for corner in itertools.product(*spans):
        low = np.array(corner)
        high = np.minimum(low + edges, [s.stop for s in task.region])
        first = np.maximum(task.corners, low)
        last = np.minimum(task.corners + task.wide, high)
        touched = np.flatnonzero((first < last).all(axis=1))
        if not len(touched):
            continue
        chunk = tomogram.read(tuple(map(slice, low.tolist(), high.tolist())))
        for i in touched:
            values = chunk[tuple(map(slice, first[i] - low, last[i] - low))]
            where = tuple(map(slice, first[i] - task.corners[i], last[i] - task.corners[i]))
            pieces.append(Piece(int(task.numbers[i]), where, values.copy()))
    return sorted(pieces, key=lambda piece: piece.number)


def pad_value(voxels: NDArray[np.float32], filled: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill what lies outside the tomogram with the mean of what lies inside.

    The outermost layer is a margin for interpolation only: where it alone is outside, it repeats
    the face, so that a box which just fits is not changed by what is beyond it.
    """
    if filled.all():
        return voxels
    inner = (slice(1, -1),) * voxels.ndim
    if filled[inner].all():
        return np.where(filled, voxels, np.pad(voxels[inner], 1, mode="edge"))
    return np.where(filled, voxels, voxels[filled].mean(dtype=np.float64)).astype(np.float32)


def centred_box(wide: NDArray[np.float32], fraction: NDArray[np.float64]) -> NDArray[np.float32]:
    """Take `fraction` (zyx, at most half a voxel) out by linear interpolation, and the margin."""
    for axis, part in enumerate(fraction):
        size = wide.shape[axis] - 2
        here = wide.take(range(1, size + 1), axis=axis)
        if abs(part) < _WHOLE_VOXEL:
            wide = here
            continue
        step = 1 if part > 0 else -1
        beside = wide.take(range(1 + step, size + 1 + step), axis=axis)
        wide = (1 - abs(part)) * here + abs(part) * beside
    return wide.astype(np.float32)
