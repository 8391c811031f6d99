"""Particle stacks `NAME.particles.zarr`: images `(n, c, [z,] y, x)` and a table of particles.

2-D cells and 3-D subtomograms are the same kind of stack. Images keep the values they were
measured with; a model carries its own normalisation, so evaluation and serving cannot forget it.

The header says how many particles count: a stack grows in place, and one that is killed while it
grows is the stack it was. `sha256sum -c chunks.sha256`, in its folder, checks its images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.storage.headers import check_header
from latentlaw.errors import DataError

FORMAT_VERSION = 2
TABLE = "particles.parquet"
SUMS = "chunks.sha256"
_MADE_BY = "make one with `extract` or `collect`"


@dataclass(frozen=True)
class ParticleStack:
    """A particle stack opened for reading.

    Attributes
    ----------
    images
        `(n, c, [z,] y, x)`, read chunk by chunk.
    table
        One row per particle, columns `COLUMNS`.
    voxel_size_a
        Edge of a voxel in angstrom, or None where it is not known.
    digest
        SHA-256 of images and table.
    """

    path: str
    images: ImageChunks
    table: pd.DataFrame
    voxel_size_a: float | None
    digest: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one particle, `(c, [z,] y, x)`."""
        return self.images.shape[1:]

    @property
    def class_names(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted(self.table["label"].dropna().unique().tolist())

    def read(self, rows: NDArray[np.integer[Any]] | None = None) -> NDArray[np.float32]:
        """Return the images of `rows` (all when None) as float32 `(n, c, [z,] y, x)`.

        Raises
        ------
        DataError
            If a chunk is missing or damaged.
        """
        return self.images.read(np.arange(len(self)) if rows is None else rows)


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
        images = group["images"]
    except (ImportError, KeyError, ValueError, TypeError, OSError) as error:
        raise DataError(
            f"{location}: not a particle stack ({type(error).__name__}: {error}); {_MADE_BY}"
        ) from error
    check_header(location, header, kind="particles", newest=FORMAT_VERSION, remedy=_MADE_BY)
    if not isinstance(images, zarr.Array):
        raise DataError(f"{location}: found a group `images`, expected an array; {_MADE_BY}")
    n = int(header.get("particles", images.shape[0]))  # version 1 does not grow
    try:
        table = pd.read_parquet(f"{location}/{TABLE}").iloc[:n]
    except (OSError, ValueError) as error:
        raise DataError(f"{location}/{TABLE}: cannot be read ({error}); {_MADE_BY}") from error
    if not n == len(table) <= images.shape[0]:
        raise DataError(
            f"{location}: found {images.shape[0]} images and {len(table)} rows in {TABLE}, "
            f"expected {n} of each; {_MADE_BY}"
        )
    chunks = ImageChunks(location, images, n)
    return ParticleStack(
        location, chunks, table, header.get("voxel_size_a"), str(header["digest"])
    )
