"""Small tomogram stores and coordinates, for tests of extraction."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.tomograms import create_store, mark_complete
from numpy.typing import ArrayLike, NDArray

SIZE_A = 10.0
SHAPE = (40, 48, 56)


def make_tomogram(
    folder: Path, volume: NDArray[Any], name: str = "tomo", voxel_size_a: float = SIZE_A
) -> Path:
    """Write a store of float32 with chunks of 8 voxels."""
    path = folder / f"{name}.ome.zarr"
    folder.mkdir(parents=True, exist_ok=True)
    dtype = np.dtype(np.float32)
    level = create_store(path, volume.shape, dtype, chunk=8, shard=16, levels=1)[0]
    level[:] = volume.astype(dtype)
    mark_complete(path, name=name, source=name, digest="", voxel_size_a=voxel_size_a)
    return path


def make_coordinates(path: Path, voxels: ArrayLike, **columns: Any) -> Path:
    """Write a CSV of positions zyx in voxels of `SIZE_A`, with more columns if wanted."""
    table = pd.DataFrame(np.asarray(voxels, float) * SIZE_A, columns=list("zyx"))
    table.assign(**{"tomogram": "tomo", **columns}).to_csv(path, index=False)
    return path


def noise(seed: int = 0) -> NDArray[np.float64]:
    """A volume of `SHAPE` of white noise."""
    return np.random.default_rng(seed).normal(size=SHAPE)
