"""Row 9: NaN or inf voxels are counted; drop, zero, or fail with particle ids."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_row_09_nonfinite_voxels(tmp_path: Path, value: float) -> None:
    volume = noise()
    volume[10, 10, 10] = volume[30, 30, 30] = value
    store = make_tomogram(tmp_path, volume)
    csv = make_coordinates(tmp_path / "p.csv", [[10] * 3, [20] * 3, [30] * 3])
    out = tmp_path / "s.particles.zarr"
    with pytest.raises(
        DataError, match=r"NaN or infinite voxels in 2 particles, tomo-000000, tomo-000002;.*drop"
    ):
        extract_particles(store, csv, out, box=8)
    assert not out.exists()
    report = extract_particles(store, csv, out, box=8, nonfinite="drop")
    assert (report.extracted, report.nonfinite) == (1, 2)
    assert open_stack(out).table["particle_id"].tolist() == ["tomo-000001"]
    report = extract_particles(store, csv, out, box=8, nonfinite="zero", overwrite=True)
    images = open_stack(out).read()
    assert (report.extracted, report.nonfinite) == (3, 2)
    assert np.isfinite(images).all()
    assert (images == 0).sum() == 2
