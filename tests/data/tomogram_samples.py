"""Small tomogram stores and coordinates, for tests of extraction."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms
from numpy.typing import ArrayLike, NDArray

SIZE_A = 10.0
SHAPE = (40, 48, 56)


def make_tomogram(
    folder: Path,
    volume: NDArray[Any],
    name: str = "tomo",
    voxel_size_a: float = SIZE_A,
    *,
    chunk: int = 8,
) -> Path:
    """Write an MRC file of float32 and its store, shards of two chunks an edge."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.mrc"
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # mrcfile's, of NaN
        write_mrc(source, volume.astype(np.float32), voxel_size_a)
    return ingest_tomograms(
        source, folder, chunk=chunk, shard=2 * chunk, levels=1, scheduler="threads"
    ).stores[0]


def make_coordinates(path: Path, voxels: ArrayLike, **columns: Any) -> Path:
    """Write a CSV of positions zyx in voxels of `SIZE_A`, with more columns if wanted."""
    table = pd.DataFrame(np.asarray(voxels, float) * SIZE_A, columns=list("zyx"))
    table.assign(**{"tomogram": "tomo", **columns}).to_csv(path, index=False)
    return path


def noise(seed: int = 0) -> NDArray[np.float64]:
    """A volume of `SHAPE` of white noise."""
    return np.random.default_rng(seed).normal(size=SHAPE)
