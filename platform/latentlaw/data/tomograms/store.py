"""Tomogram stores `NAME.ome.zarr`: OME-Zarr 0.5, zyx in angstrom, sharded and checksummed."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import zarr
from numpy.typing import NDArray

from latentlaw.data.storage.complete import open_complete
from latentlaw.data.storage.headers import check_header
from latentlaw.data.tomograms.shards import (
    ShardSum,
    chunk_codecs,
    chunks_per_shard,
    damaged_chunks,
)
from latentlaw.errors import DataError

#: 1 had no sums of its shards; it still opens.
FORMAT_VERSION = 2
Region = tuple[slice, ...]
_SMALLEST_LEVEL = 16


@dataclass(frozen=True)
class Tomogram:
    """A tomogram opened for reading.

    Attributes
    ----------
    levels
        Zarr arrays `(z, y, x)`, each at half the sampling of the one before.
    voxel_size_a
        Edge of a voxel of the first level in angstrom.
    digest
        SHA-256 of the source.
    start_voxels
        Place `(z, y, x)` of the first voxel in the source's own coordinates (MRC `nstart`).
    sums
        Size and checksum of each shard, by `LEVEL/KEY`; empty in format version 1.
    """

    path: str
    name: str
    levels: tuple[zarr.Array[Any], ...]
    voxel_size_a: float
    digest: str
    start_voxels: tuple[int, int, int] = (0, 0, 0)
    sums: Mapping[str, ShardSum] = field(default_factory=dict)

    def read(self, region: Region, level: int = 0) -> NDArray[Any]:
        """Return the voxels of a region `(z, y, x)`.

        Raises
        ------
        DataError
            If a chunk fails its checksum or cannot be read.
        """
        try:
            return np.asarray(self.levels[level][region])
        except (OSError, ValueError, RuntimeError) as error:
            keys = damaged_keys(self, level, region) or [self.levels[level].path]
            raise DataError(
                f"{self.path}: damaged at {', '.join(keys[:5])} ({error}); mend it with "
                "`validate` and repair=true"
            ) from error

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels `(z, y, x)` of the first level."""
        z, y, x = self.levels[0].shape
        return z, y, x


def open_tomogram(path: str | Path) -> Tomogram:
    """Open a tomogram store from a local path or an fsspec URL.

    Raises
    ------
    DataError
        If there is no complete tomogram store of a known format version at `path`, or a shard is
        missing or of the wrong size.
    """
    tomogram = read_header(path)
    _check_shards(tomogram)
    return tomogram


def read_header(path: str | Path) -> Tomogram:
    """Read a store's metadata, without a look at its shards.

    Raises
    ------
    DataError
        If there is no complete tomogram store of a known format version at `path`.
    """
    location = str(path)
    try:
        group = open_complete(location)
        attributes = group.attrs.asdict()
        header: Any = attributes["latentlaw"]
        ome: Any = attributes["ome"]
        multiscale = ome["multiscales"][0]
        levels = tuple(_array(group, entry["path"]) for entry in multiscale["datasets"])
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise DataError(
            f"{location}: not a complete tomogram store ({type(error).__name__}: {error}); "
            "make one with `ingest`"
        ) from error
    check_header(
        location, header, kind="tomogram", newest=FORMAT_VERSION, remedy="make one with `ingest`"
    )
    axes = [(axis["name"], axis.get("unit")) for axis in multiscale["axes"]]
    if axes != [(name, "angstrom") for name in "zyx"]:
        raise DataError(f"{location}: found axes {axes}, expected z y x in angstrom")
    return Tomogram(
        path=location,
        name=str(header["name"]),
        levels=levels,
        voxel_size_a=float(header["voxel_size_a"]),
        digest=str(header["digest"]),
        start_voxels=tuple(header.get("start_voxels", (0, 0, 0))),
        sums={key: ShardSum(*values) for key, values in header.get("shards", {}).items()},
    )


def shard_regions(array: zarr.Array[Any]) -> dict[str, Region]:
    """Cut an array into the regions of its shards, by the shard's key within the array."""
    edges = array.shards or array.chunks
    counts = [-(-size // edge) for size, edge in zip(array.shape, edges, strict=True)]
    return {
        "/".join(("c", *map(str, place))): tuple(
            slice(i * edge, min((i + 1) * edge, size))
            for i, edge, size in zip(place, edges, array.shape, strict=True)
        )
        for place in itertools.product(*map(range, counts))
    }


def damaged_keys(tomogram: Tomogram, level: int, region: Region | None = None) -> list[str]:
    """Return the chunks that fail their checksum, in the shards that touch `region` (all if None).

    A chunk is named `LEVEL/SHARD chunk N`, N counting in C order within its shard, and a shard
    that is missing `LEVEL/SHARD`. Only local stores are looked into.
    """
    array = tomogram.levels[level]
    count = chunks_per_shard(array)
    keys: list[str] = []
    for key, part in shard_regions(array).items():
        if region is not None and not _overlap(part, region, array.shape):
            continue
        name = f"{array.path}/{key}"
        try:
            bad = damaged_chunks(Path(tomogram.path, array.path, key), count)
        except OSError:
            keys.append(name)
        else:
            keys += [f"{name} chunk {number}" for number in bad]
    return keys


def _overlap(part: Region, region: Region, shape: tuple[int, ...]) -> bool:
    spans = [s.indices(size)[:2] for s, size in zip(region, shape, strict=True)]
    return all(p.start < high and p.stop > low for p, (low, high) in zip(part, spans, strict=True))


def _check_shards(tomogram: Tomogram) -> None:
    """Refuse a store that lacks a shard: Zarr would read zeros in its place, without a word."""
    files, root = fsspec.core.url_to_fs(tomogram.path)
    for level in tomogram.levels:
        prefix = f"{root.rstrip('/')}/{level.path}"
        found = {name: facts["size"] for name, facts in files.find(prefix, detail=True).items()}
        for key in shard_regions(level):
            name = f"{level.path}/{key}"
            size = found.get(f"{prefix}/{key}")
            due = tomogram.sums[name].size if name in tomogram.sums else size
            if size is None or size != due:
                what = "is missing" if size is None else f"has {size} bytes, expected {due}"
                raise DataError(
                    f"{tomogram.path}: shard {name} {what}; mend it with `validate` and "
                    "repair=true, or ingest the tomogram again"
                )


def _array(group: zarr.Group, path: str) -> zarr.Array[Any]:
    if "/" in path or path.startswith("."):
        raise ValueError(f"{path!r} leaves the store")
    array = group[path]
    if not isinstance(array, zarr.Array) or array.ndim != 3:
        raise ValueError(f"{path} is no array of three dimensions")
    return array


def create_store(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    chunk: int,
    shard: int,
    levels: int,
    plan: Mapping[str, Any],
) -> None:
    """Make a store that is not complete yet, with the empty arrays `s0, s1, …` of a pyramid.

    Parameters
    ----------
    path
        Folder to make.
    shape
        Voxels `(z, y, x)` of the finest level.
    dtype
        Of the finest level; the others are float32.
    chunk, shard
        Edges in voxels; a shard is a whole number of chunks and no larger than needed.
    levels
        Most levels to make; halving stops below 16 voxels.
    plan
        What the store is being made from, kept until it is complete.
    """
    group = zarr.create_group(path, zarr_format=3)
    for level in range(levels):
        sizes = tuple(-(-size // 2**level) for size in shape)
        if level and min(sizes) < _SMALLEST_LEVEL:
            break
        inner = tuple(min(chunk, size) for size in sizes)
        outer = tuple(
            edge * min(max(shard // chunk, 1), -(-size // edge))
            for edge, size in zip(inner, sizes, strict=True)
        )
        group.create_array(
            f"s{level}",
            shape=sizes,
            chunks=inner,
            shards=outer,
            dtype=dtype if level == 0 else np.dtype(np.float32),
            compressors=chunk_codecs(),
            dimension_names=list("zyx"),
        )
    # Last, so that a store with a plan has all its arrays.
    group.update_attributes({"latentlaw": {"kind": "tomogram", "complete": False, **plan}})


def unfinished_plan(path: Path) -> dict[str, Any] | None:
    """Return the plan of a store that was begun and not finished; None if there is no such."""
    try:
        header: Any = zarr.open_group(path, mode="r").attrs.asdict()["latentlaw"]
        return {key: value for key, value in header.items() if key not in ("kind", "complete")}
    except (OSError, KeyError, ValueError):
        return None


def local_levels(path: Path) -> list[zarr.Array[Any]]:
    """Open the arrays `(z, y, x)` of a local store, complete or not, finest first."""
    return [zarr.open_array(file.parent, mode="r") for file in sorted(path.glob("s*/zarr.json"))]


def mark_complete(
    path: Path,
    *,
    name: str,
    source: str,
    digest: str,
    voxel_size_a: float,
    start_voxels: tuple[int, int, int],
    sums: Mapping[str, ShardSum],
) -> None:
    """Write the metadata that makes a store one that opens; the last thing an ingest does."""
    group = zarr.open_group(path, mode="r+")
    datasets: list[Any] = []
    for level in range(len(local_levels(path))):
        scale = voxel_size_a * 2**level
        shift = voxel_size_a * (2**level - 1) / 2  # a mean of 2^level voxels sits between them
        datasets.append(
            {
                "path": f"s{level}",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [scale] * 3},
                    {"type": "translation", "translation": [shift] * 3},
                ],
            }
        )
    axes: list[Any] = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    shards: Any = {key: [sums[key].size, sums[key].crc32c] for key in sorted(sums)}
    ome: Any = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": datasets, "type": "local mean"}],
    }
    header: Any = {
        "kind": "tomogram",
        "version": FORMAT_VERSION,
        "name": name,
        "source": source,
        "digest": digest,
        "voxel_size_a": voxel_size_a,
        "start_voxels": list(start_voxels),
        "shards": shards,
        "complete": True,
    }
    group.update_attributes({"ome": ome, "latentlaw": header})
