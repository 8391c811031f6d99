"""Voxel sizes that are missing, impossible, or contradict what is given."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram


@pytest.mark.parametrize("cell", [(0, 0, 0), (-410, -370, -330), (410, 370, 429)])
def test_row_05_voxel_size(
    tmp_path: Path, mrc: Path, patch_header: Callable[..., None], cell: tuple[int, int, int]
) -> None:
    patch_header(mrc, cella=cell)
    failures = ingest_tomograms(mrc, tmp_path / "out", scheduler="threads").failures
    assert "expected one positive size; pass voxel_size" in failures[0]
    given = ingest_tomograms(mrc, tmp_path / "out", voxel_size_a=13.5, scheduler="threads")
    assert open_tomogram(given.stores[0]).voxel_size_a == 13.5


def test_row_05_voxel_size_contradicted(
    tmp_path: Path, mrc: Path, patch_header: Callable[..., None]
) -> None:
    patch_header(mrc, cella=(41, 37, 33))
    failures = ingest_tomograms(
        mrc, tmp_path / "out", voxel_size_a=10.0, scheduler="threads"
    ).failures
    assert "found 1 angstrom per voxel, expected the 10 of voxel_size;" in failures[0]
    (failure,) = ingest_tomograms(
        mrc, tmp_path / "out", voxel_size_a=1.02, scheduler="threads"
    ).failures
    assert "found 1 angstrom per voxel, expected the 1.02 of voxel_size;" in failure
    near = ingest_tomograms(mrc, tmp_path / "out", voxel_size_a=1.005, scheduler="threads")
    assert open_tomogram(near.stores[0]).voxel_size_a == 1.005


def test_row_05_voxel_size_of_a_tiff(tmp_path: Path) -> None:
    source = tmp_path / "tomo.tif"
    tifffile.imwrite(
        source,
        np.zeros((4, 8, 8), np.float32),
        imagej=True,
        resolution=(1, 1),
        metadata={"axes": "ZYX", "unit": "nm"},
    )
    failures = ingest_tomograms(
        source, tmp_path / "out", voxel_size_a=1.0, scheduler="threads"
    ).failures
    assert "found 10 angstrom per voxel, expected the 1 of voxel_size;" in failures[0]
    near = ingest_tomograms(source, tmp_path / "out", voxel_size_a=10.05, scheduler="threads")
    assert open_tomogram(near.stores[0]).voxel_size_a == 10.05
