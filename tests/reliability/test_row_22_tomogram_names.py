"""Row 22: names without a tomogram are counted and listed, and refused unless told to skip."""

from pathlib import Path

import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.errors import DataError

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise


def test_row_22_tomogram_names(tmp_path: Path) -> None:
    store = make_tomogram(tmp_path / "a", noise())
    csv = make_coordinates(
        tmp_path / "p.csv", [[20] * 3] * 4, tomogram=["tomo", "TS_9", "TS_9", "TS_8"]
    )
    out = tmp_path / "s.particles.zarr"
    with pytest.raises(
        DataError, match=r"no tomogram store for 2 names, TS_8, TS_9, of 3 particles, .* tomo;"
    ):
        extract_particles(store, csv, out, box=8)
    report = extract_particles(store, csv, out, box=8, missing="skip")
    assert (report.extracted, report.unknown_tomograms) == (1, ("TS_8", "TS_9"))
    assert "left out 3 particles of TS_8, TS_9" in " ".join(report.warnings)
    again = make_tomogram(tmp_path / "b", noise())
    with pytest.raises(DataError, match="found 2 tomograms named 'tomo'") as error:
        extract_particles([store, again], csv, out, box=8, overwrite=True)
    assert str(store) in str(error.value)
    assert str(again) in str(error.value)
