"""Stores of newer formats are refused; older ones open."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from latentlaw.data.inspection.validate import validate_stack, validate_tomogram
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.mark.parametrize("kind", ["store", "stack"])
def test_row_17_newer_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    group = zarr.open_group(path, mode="r+")
    header = dict(group.attrs.asdict()["latentlaw"])  # type: ignore[call-overload]
    group.update_attributes({"latentlaw": {**header, "version": 99}})
    with pytest.raises(DataError, match=r"found format version 99, expected at most \d+"):
        open_tomogram(path) if kind == "store" else open_stack(path)


def test_row_17_version_1_opens() -> None:
    tomogram = open_tomogram(ASSETS / "tomogram_v1.ome.zarr")
    expected = np.arange(16 * 18 * 20, dtype=np.int16).reshape(16, 18, 20)
    np.testing.assert_array_equal(tomogram.levels[0][:], expected)
    assert (tomogram.voxel_size_a, tomogram.start_voxels) == (10.0, (0, 0, 0))
    assert validate_tomogram(ASSETS / "tomogram_v1.ome.zarr") == []


def test_row_17_version_1_of_a_stack_opens() -> None:
    stack = open_stack(ASSETS / "stack_v1.particles.zarr")
    assert stack.images.compressed
    assert len(stack.read()) == len(stack) > 0
    assert validate_stack(ASSETS / "stack_v1.particles.zarr") == []
