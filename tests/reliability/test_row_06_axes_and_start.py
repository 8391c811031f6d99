"""Permuted axes are transposed, and the start is kept."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import open_mrc, write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from numpy.typing import NDArray


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_row_06_axes_and_start(
    tmp_path: Path,
    volume: NDArray[np.float32],
    patch_header: Callable[..., None],
    order: tuple[int, int, int],
) -> None:
    source = tmp_path / "permuted.mrc"
    # mapc, mapr, maps say which of x=1, y=2, z=3 columns, rows and sections run along.
    sections_rows_columns = [3 - axis for axis in reversed(order)]
    write_mrc(source, np.ascontiguousarray(volume.transpose(sections_rows_columns)), 10.0)
    starts = dict(zip(order, ("nxstart", "nystart", "nzstart"), strict=True))
    z, y, x = volume.shape
    patch_header(
        source,
        **dict(zip(("mapc", "mapr", "maps"), order, strict=True)),
        **{starts[1]: 7, starts[2]: -6, starts[3]: 5},
        cella=(10 * x, 10 * y, 10 * z),
        mx=x,
        my=y,
        mz=z,
    )
    stores = ingest_tomograms(
        source, tmp_path / "out", chunk=8, shard=16, scheduler="threads"
    ).stores
    tomogram = open_tomogram(stores[0])
    np.testing.assert_array_equal(tomogram.levels[0][:], volume)
    assert tomogram.start_voxels == (5, -6, 7)
    write_mrc(
        tmp_path / "back.mrc",
        tomogram.levels[0][:],
        tomogram.voxel_size_a,
        start_voxels=tomogram.start_voxels,
    )
    back = open_mrc(tmp_path / "back.mrc")
    np.testing.assert_array_equal(back.data, volume)
    assert back.start_voxels == (5, -6, 7)
