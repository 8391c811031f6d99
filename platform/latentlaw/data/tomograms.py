"""Tomogram stores `NAME.ome.zarr`: OME-Zarr 0.5, zyx in angstrom, sharded and checksummed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

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
    if header.get("kind") != "tomogram" or not header.get("complete"):
        raise DataError(f"{location}: expected a complete tomogram store, found {header}")
    if header["version"] > FORMAT_VERSION:
        raise DataError(
            f"{location}: format version {header['version']} is newer than the supported "
            f"{FORMAT_VERSION}; update latentlaw"
        )
    axes = [(axis["name"], axis.get("unit")) for axis in multiscale["axes"]]
    if axes != [(name, "angstrom") for name in "zyx"]:
        raise DataError(f"{location}: found axes {axes}, expected z y x in angstrom")
    for level, shards in zip(levels, header["shards"], strict=True):
        # Zarr reads a missing shard as zeros, so their number is checked here.
        if level.nshards_initialized != shards:
            raise DataError(
                f"{location}/{level.path}: {level.nshards_initialized} of {shards} shards are "
                "there; ingest the tomogram again"
            )
    name = str(header["name"])
    return Tomogram(location, name, levels, float(header["voxel_size_a"]), header["digest"])


def _array(group: zarr.Group, path: str) -> zarr.Array[Any]:
    array = group[path]
    if not isinstance(array, zarr.Array):
        raise KeyError(f"{path} is a group")
    return array


def create_store(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *, chunk: int, shard: int, levels: int
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
    arrays = []
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
                dtype=dtype if level == 0 else np.float32,
                compressors=[
                    zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle"),
                    zarr.codecs.Crc32cCodec(),
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
    datasets = []
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
    axes = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {"name": name, "axes": axes, "datasets": datasets, "type": "local mean"}
        ],
    }
    group.attrs["latentlaw"] = {
        "kind": "tomogram",
        "version": FORMAT_VERSION,
        "name": name,
        "source": source,
        "digest": digest,
        "voxel_size_a": voxel_size_a,
        "shards": [array.nshards_initialized for array in arrays],
        "complete": True,
    }


def mean_by_two(block: NDArray[Any]) -> NDArray[np.float32]:
    """Halve a block `(z, y, x)` by local mean; an odd last plane is averaged with itself."""
    padded = np.pad(block.astype(np.float32), [(0, size % 2) for size in block.shape], "edge")
    z, y, x = (size // 2 for size in padded.shape)
    return np.asarray(padded.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5)))
