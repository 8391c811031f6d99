"""Row 23: a particle outside, or a box across a face: skip, pad or fail, and counts of each."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise


def test_row_23_edges(tmp_path: Path) -> None:
    volume = noise()
    store = make_tomogram(tmp_path, volume)
    places = [[20, 20, 20], [20, 20, 30], [0, 0, 0], [20, 20, 56], [20, -1, 20]]
    csv = make_coordinates(tmp_path / "p.csv", places)
    out = tmp_path / "s.particles.zarr"
    report = extract_particles(store, csv, out, box=8, edge="skip")
    assert (report.extracted, report.skipped, report.padded) == (2, 3, 0)
    report = extract_particles(store, csv, out, box=8, edge="pad", overwrite=True)
    assert (report.extracted, report.skipped, report.padded) == (3, 2, 1)
    stack = open_stack(out)
    padded = stack.read(np.flatnonzero(stack.table["z"] == 0))[0, 0]
    np.testing.assert_array_equal(padded[4:, 4:, 4:], volume[:4, :4, :4].astype(np.float32))
    known = volume[:5, :5, :5].mean()  # the box with the margin that interpolation needs
    np.testing.assert_allclose(padded[:4], known, rtol=1e-5)
    with pytest.raises(DataError, match="boxes of 3 particles cross a face, the first is row 2"):
        extract_particles(store, csv, out, box=8, edge="fail", overwrite=True)
    assert open_stack(out).digest == stack.digest
