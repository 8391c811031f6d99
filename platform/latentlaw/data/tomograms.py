"""Tomogram stores `NAME.ome.zarr`: OME-Zarr 0.5, zyx in angstrom, sharded and checksummed."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from latentlaw.data.headers import check_header
from latentlaw.errors import DataError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Tomogram:
    """A tomogram opened for reading.

    Attributes
    ----------
    levels
        Zarr arrays `(z, y, x)`, each at half the sampling of the one before.
    voxel_size_a
        Edge of a voxel of the first level in angstrom.
    """

    path: str
    name: str
    levels: tuple[zarr.Array[Any], ...]
    voxel_size_a: float
    digest: str

    def read(self, region: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Return the voxels of a region `(z, y, x)`.

        Raises
        ------
        DataError
            If a chunk fails its checksum or cannot be read.
        """
        try:
            return np.asarray(self.levels[level][region])
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{self.path}/{self.levels[level].path}: damaged at {region} ({error}); "
                "ingest the tomogram again"
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
        If the store is not a complete one of a known version, its axes are not z y x in
        angstrom, or a shard that was written is no longer there.
    """
    location = str(path)
    try:
        group = zarr.open_group(location, mode="r")
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
    _check_shards(location, levels)
    name = str(header["name"])
    return Tomogram(location, name, levels, float(header["voxel_size_a"]), header["digest"])


def shard_regions(array: zarr.Array[Any]) -> dict[str, tuple[slice, ...]]:
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


def _check_shards(location: str, levels: tuple[zarr.Array[Any], ...]) -> None:
    """Refuse a store that lacks a shard: Zarr would read zeros in its place, without a word."""
    files, root = fsspec.core.url_to_fs(location)
    for level in levels:
        prefix = f"{root.rstrip('/')}/{level.path}"
        present = set(files.find(prefix))
        missing = [key for key in shard_regions(level) if f"{prefix}/{key}" not in present]
        if missing:
            raise DataError(
                f"{location}: {len(missing)} shards are missing, the first "
                f"{level.path}/{missing[0]}; ingest the tomogram again"
            )


def _array(group: zarr.Group, path: str) -> zarr.Array[Any]:
    array = group[path]
    if not isinstance(array, zarr.Array):
        raise KeyError(f"{path} is a group")
    return array


def create_store(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    chunk: int,
    shard: int,
    levels: int,
) -> list[zarr.Array[Any]]:
    """Make the empty arrays of a pyramid, finest first.

    Parameters
    ----------
    chunk, shard
        Edges in voxels; a shard is a whole number of chunks and no larger than needed.
    levels
        Most levels to make; halving stops below 16 voxels.
    """
    group = zarr.create_group(path, zarr_format=3)
    arrays: list[zarr.Array[Any]] = []
    for level in range(levels):
        sizes = tuple(-(-size // 2**level) for size in shape)
        if level and min(sizes) < 16:
            break
        inner = tuple(min(chunk, size) for size in sizes)
        outer = tuple(
            edge * min(max(shard // chunk, 1), -(-size // edge))
            for edge, size in zip(inner, sizes, strict=True)
        )
        arrays.append(
            group.create_array(
                f"s{level}",
                shape=sizes,
                chunks=inner,
                shards=outer,
                dtype=dtype.newbyteorder("=") if level == 0 else np.dtype(np.float32),
                compressors=[
                    BloscCodec(cname="lz4", shuffle="shuffle"),
                    Crc32cCodec(),
                ],
                dimension_names=list("zyx"),
                config={"write_empty_chunks": True},
            )
        )
    return arrays


def mark_complete(path: Path, *, name: str, source: str, digest: str, voxel_size_a: float) -> None:
    """Write the metadata that makes a store one that opens; the last thing an ingest does."""
    group = zarr.open_group(path, mode="r+")
    arrays = [_array(group, key) for key in sorted(group.array_keys())]
    datasets: list[Any] = []
    for level, array in enumerate(arrays):
        scale = voxel_size_a * 2**level
        shift = voxel_size_a * (2**level - 1) / 2  # a mean of 2^level voxels sits between them
        datasets.append(
            {
                "path": array.path.rsplit("/", 1)[-1],
                "coordinateTransformations": [
                    {"type": "scale", "scale": [scale] * 3},
                    {"type": "translation", "translation": [shift] * 3},
                ],
            }
        )
    axes: list[Any] = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": datasets, "type": "local mean"}],
    }
    group.attrs["latentlaw"] = {
        "kind": "tomogram",
        "version": FORMAT_VERSION,
        "name": name,
        "source": source,
        "digest": digest,
        "voxel_size_a": voxel_size_a,
        "complete": True,
    }


def mean_by_two(block: NDArray[Any]) -> NDArray[np.float32]:
    """Halve a block `(z, y, x)` by local mean; an odd last plane is averaged with itself."""
    padded = np.pad(block.astype(np.float32), [(0, size % 2) for size in block.shape], "edge")
    z, y, x = (size // 2 for size in padded.shape)
    return np.asarray(padded.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5)))
