"""The shards of a pyramid: which voxels go into each, a chunk at a time."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from latentlaw.data.formats.sources import Voxels
from latentlaw.data.tomograms.shards import (
    ShardSum,
    chunks_per_shard,
    damaged_chunks,
    sum_shard,
    write_shard,
)
from latentlaw.data.tomograms.store import Region, local_levels, shard_regions


@dataclass(frozen=True)
class ShardTask:
    """One shard to write: of level 0 from `voxels`, of others from the level before."""

    store: Path
    level: int
    key: str
    region: Region
    chunk_count: int
    voxels: Voxels | None

    @property
    def name(self) -> str:
        """The shard's name in its store."""
        return f"s{self.level}/{self.key}"

    @property
    def path(self) -> Path:
        """The shard's file."""
        return self.store / self.name


def shard_tasks(store: Path, voxels: Voxels | None) -> list[list[ShardTask]]:
    """Return a task for each shard of a store, one list per level."""
    root = store.resolve()
    return [
        [
            ShardTask(root, level, key, region, chunks_per_shard(array), voxels)
            for key, region in shard_regions(array).items()
        ]
        for level, array in enumerate(local_levels(root))
    ]


def make_shard(task: ShardTask) -> ShardSum:
    """Write a whole shard, which no other task touches.

    Raises
    ------
    ValueError
        If the shard is of the finest level and the task has no voxels.
    """
    array = zarr.open_array(task.store / f"s{task.level}", mode="r")
    edges = array.shards or array.chunks
    if task.level:
        finer = zarr.open_array(task.store / f"s{task.level - 1}", mode="r")
        blocks = _halved(finer, task.region, array.chunks, edges)
    elif task.voxels is None:
        raise ValueError(f"{task.path}: a shard of the finest level needs the source's voxels")
    else:
        blocks = _cut(task.voxels, task.region, array.chunks, edges)
    whole = (_whole(block, array.chunks, array.dtype) for block in blocks)
    return write_shard(task.path, whole)


def keep_or_make_shard(task: ShardTask) -> ShardSum:
    """Keep the shard that a broken-off ingest left, if it is sound; else make it."""
    if task.path.is_file() and not damaged_chunks(task.path, task.chunk_count):
        return sum_shard(task.path)
    return make_shard(task)


def mean_by_two(block: NDArray[Any]) -> NDArray[np.float32]:
    """Halve a block `(z, y, x)` by local mean; an odd last plane is averaged with itself."""
    halved = block.astype(np.float32, copy=False)
    for axis in range(halved.ndim):  # an axis at a time holds the least in memory
        if halved.shape[axis] % 2:
            widths = [(0, int(other == axis)) for other in range(halved.ndim)]
            halved = np.pad(halved, widths, mode="edge")
        even, odd = (
            halved[(slice(None),) * axis + (slice(start, None, 2),)] for start in range(2)
        )
        halved = np.float32(0.5) * (even + odd)
    return halved


def _corners(chunks: tuple[int, ...], edges: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Offsets within a shard of its chunks, in C order."""
    return itertools.product(
        *(range(0, edge, chunk) for edge, chunk in zip(edges, chunks, strict=True))
    )


def _cut(
    voxels: Voxels, region: Region, chunks: tuple[int, ...], edges: tuple[int, ...]
) -> Iterator[NDArray[Any] | None]:
    """Read a row of chunks at once, since a file's voxels lie along x, and cut it."""
    z, y, x = region
    row: NDArray[Any] = np.empty((0, 0, 0))
    for oz, oy, ox in _corners(chunks, edges):
        low_z, low_y = z.start + oz, y.start + oy
        if ox == 0 and low_z < z.stop and low_y < y.stop:
            rows = slice(low_y, min(low_y + chunks[1], y.stop))
            row = voxels.read((slice(low_z, min(low_z + chunks[0], z.stop)), rows, x))
        inside = low_z < z.stop and low_y < y.stop and x.start + ox < x.stop
        yield row[:, :, ox : ox + chunks[2]] if inside else None


def _halved(
    finer: zarr.Array[Any], region: Region, chunks: tuple[int, ...], edges: tuple[int, ...]
) -> Iterator[NDArray[Any] | None]:
    for offsets in _corners(chunks, edges):
        lows = [s.start + o for s, o in zip(region, offsets, strict=True)]
        highs = [min(low + c, s.stop) for low, c, s in zip(lows, chunks, region, strict=True)]
        if any(low >= high for low, high in zip(lows, highs, strict=True)):
            yield None
            continue
        across = [slice(2 * low, 2 * high) for low, high in zip(lows[1:], highs[1:], strict=True)]
        # In two layers, which are those of the finer level's chunks: half as much in memory.
        step = -(-chunks[0] // 2)
        layers = [
            slice(2 * z, 2 * min(z + step, highs[0])) for z in range(lows[0], highs[0], step)
        ]
        blocks = [mean_by_two(np.asarray(finer[layer, *across])) for layer in layers]
        yield np.concatenate(blocks)


def _whole(
    block: NDArray[Any] | None, chunks: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """Fill a chunk that the array's face cuts with zeros, as chunks are stored whole."""
    if block is None or block.shape == chunks:
        return None if block is None else block.astype(dtype, copy=False)
    whole = np.zeros(chunks, dtype)
    whole[tuple(map(slice, block.shape))] = block
    return whole
