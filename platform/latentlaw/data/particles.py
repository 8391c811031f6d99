"""Particle stacks `NAME.particles.zarr`: images `(n, c, [z,] y, x)` and a table of particles.

2-D cells and 3-D subtomograms are the same kind of stack. Images keep the values they were
measured with; a model carries its own normalisation, so evaluation and serving cannot forget it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import ZstdCodec

from latentlaw.data.headers import check_header
from latentlaw.data.output import new_output
from latentlaw.errors import DataError

FORMAT_VERSION = 1
TABLE = "particles.parquet"
_CHUNK_BYTES = 4 * 2**20

#: Columns of the table: position in angstrom (null where there is none), orientation as the unit
#: quaternion that turns the reference into the particle, `group` = what a split keeps together.
COLUMNS: dict[str, str] = {
    "particle_id": "string",
    "label": "string",
    "tomogram": "string",
    "z": "float64",
    "y": "float64",
    "x": "float64",
    "qw": "float64",
    "qx": "float64",
    "qy": "float64",
    "qz": "float64",
    "group": "string",
    "source": "string",
}


@dataclass(frozen=True)
class ParticleStack:
    """A particle stack opened for reading.

    Attributes
    ----------
    images
        Zarr array `(n, c, [z,] y, x)`.
    table
        One row a particle, columns `COLUMNS`.
    voxel_size_a
        Edge of a voxel in angstrom, or None where it is not known.
    digest
        SHA-256 of images and table.
    """

    path: str
    images: zarr.Array[Any]
    table: pd.DataFrame
    voxel_size_a: float | None
    digest: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one particle, `(c, [z,] y, x)`."""
        return tuple(self.images.shape[1:])

    @property
    def class_names(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted(self.table["label"].dropna().unique().tolist())

    def read(self, rows: NDArray[np.integer[Any]] | None = None) -> NDArray[np.float32]:
        """Return the images of `rows` (all when None) as float32 `(n, c, [z,] y, x)`."""
        values = self.images[:] if rows is None else self.images.oindex[np.asarray(rows)]
        return np.asarray(values, dtype=np.float32)


def open_stack(path: str | Path) -> ParticleStack:
    """Open a particle stack from a local path or an fsspec URL.

    Raises
    ------
    DataError
        If there is no complete particle stack of a known format version at `path`.
    """
    location = str(path)
    try:
        group = zarr.open_group(location, mode="r")
        header: Any = group.attrs["latentlaw"]
    except (FileNotFoundError, KeyError, ValueError, OSError) as error:
        raise DataError(
            f"{location}: not a particle stack (found {type(error).__name__}: {error}); "
            "make one with `extract` or `collect`"
        ) from error
    check_header(
        location,
        header,
        kind="particles",
        newest=FORMAT_VERSION,
        remedy="make one with `extract` or `collect`",
    )
    images = group["images"]
    if not isinstance(images, zarr.Array):
        raise DataError(f"{location}: `images` is a group, expected an array")
    table = pd.read_parquet(f"{location}/{TABLE}")
    if len(table) != images.shape[0]:
        raise DataError(f"{location}: {images.shape[0]} images but {len(table)} rows in {TABLE}")
    return ParticleStack(
        location, images, table, header.get("voxel_size_a"), str(header["digest"])
    )


class ParticleWriter:
    """Appends particles to a stack; writes whole chunks, so that none is written twice."""

    def __init__(
        self, path: Path, item_shape: tuple[int, ...], dtype: DTypeLike, voxel_size_a: float | None
    ) -> None:
        item_bytes = int(np.prod(item_shape)) * np.dtype(dtype).itemsize
        self._chunk = max(1, min(256, _CHUNK_BYTES // item_bytes))
        self._group = zarr.create_group(path, zarr_format=3)
        self._images = self._group.create_array(
            "images",
            shape=(0, *item_shape),
            chunks=(self._chunk, *item_shape),
            dtype=np.dtype(dtype),
            compressors=[ZstdCodec(level=1, checksum=True)],
            dimension_names=["particle", "c", *"zyx"[-(len(item_shape) - 1) :]],
        )
        self._path = path
        self._voxel_size_a = voxel_size_a
        self._pending: list[NDArray[Any]] = []
        self._tables: list[pd.DataFrame] = []
        self._hash = hashlib.sha256()

    @property
    def folder(self) -> Path:
        """The stack's folder while it is written, for files that are kept beside the images."""
        return self._path

    def append(self, images: NDArray[Any], table: pd.DataFrame) -> None:
        """Append `images` `(n, c, [z,] y, x)` and their rows; columns left out become null."""
        if len(images) != len(table):
            raise DataError(f"{len(images)} images for {len(table)} rows of the particle table")
        self._tables.append(table)
        self._pending.append(np.asarray(images, dtype=self._images.dtype))
        while sum(map(len, self._pending)) >= self._chunk:
            block = np.concatenate(self._pending)
            self._write(block[: self._chunk])
            self._pending = [block[self._chunk :]]

    def _write(self, block: NDArray[Any]) -> None:
        start = self._images.shape[0]
        self._images.resize((start + len(block), *self._images.shape[1:]))
        self._images[start:] = block
        self._hash.update(np.ascontiguousarray(block).tobytes())

    def finish(self) -> None:
        """Write what is pending, the table and, last, the marker that the stack is complete."""
        if self._pending and sum(map(len, self._pending)):
            self._write(np.concatenate(self._pending))
        if not self._images.shape[0]:
            raise DataError("no particle to write: every one was left out, or the source is empty")
        table = particle_table(pd.concat(self._tables, ignore_index=True))
        table.to_parquet(self._path / TABLE, index=False)
        self._hash.update(table.to_csv(index=False).encode())
        self._group.attrs["latentlaw"] = {
            "kind": "particles",
            "version": FORMAT_VERSION,
            "voxel_size_a": self._voxel_size_a,
            "digest": self._hash.hexdigest(),
            "complete": True,
        }


def particle_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with exactly `COLUMNS`: missing ones null, ids and groups filled in.

    Raises
    ------
    DataError
        If particle ids are not unique.
    """
    table = pd.DataFrame(
        {
            name: rows.get(name, pd.Series(None, index=rows.index, dtype=dtype))
            for name, dtype in COLUMNS.items()
        }
    )
    numbered = pd.Series([f"p{i:07d}" for i in range(len(table))], index=table.index)
    table["particle_id"] = table["particle_id"].fillna(numbered)
    table["group"] = table["group"].fillna(table["tomogram"]).fillna(table["particle_id"])
    table = table.astype(COLUMNS)
    if table["particle_id"].duplicated().any():
        twice = table.loc[table["particle_id"].duplicated(), "particle_id"].iloc[0]
        raise DataError(f"particle_id {twice!r} occurs twice; ids must be unique in a stack")
    return table


@contextmanager
def new_stack(
    path: str | Path,
    *,
    item_shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
    voxel_size_a: float | None = None,
    overwrite: bool = False,
) -> Iterator[ParticleWriter]:
    """Write a particle stack that appears at `path` only once it is complete.

    Parameters
    ----------
    item_shape
        Shape of one particle, `(c, [z,] y, x)`.
    dtype
        Type the images are kept in.
    voxel_size_a
        Edge of a voxel in angstrom.
    """
    with new_output(path, overwrite=overwrite) as partial:
        writer = ParticleWriter(partial, item_shape, dtype, voxel_size_a)
        yield writer
        writer.finish()
