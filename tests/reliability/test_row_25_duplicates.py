"""Row 25: duplicate particles and ids are reported, and left out only on request."""

from pathlib import Path

import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise


def test_row_25_duplicates(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", noise())
    make_tomogram(tmp_path / "stores", noise(), "other")
    places = [[20] * 3, [20.00001] * 3, [20.1] * 3, [20] * 3]
    csv = make_coordinates(tmp_path / "p.csv", places, tomogram=["tomo"] * 3 + ["other"])
    out = tmp_path / "s.particles.zarr"
    report = extract_particles(tmp_path / "stores", csv, out, box=8)
    assert (report.extracted, report.duplicates) == (4, 1)
    assert "1 particles are at the place of another" in report.warnings[0]
    report = extract_particles(
        tmp_path / "stores", csv, out, box=8, deduplicate=True, overwrite=True
    )
    assert (report.extracted, report.duplicates) == (3, 1)
    assert "tomo-000001" not in open_stack(out).table["particle_id"].tolist()


def test_row_25_duplicates_of_ids(tmp_path: Path) -> None:
    store = make_tomogram(tmp_path, noise())
    ids = ["a", "b", "a", "c"]
    csv = make_coordinates(
        tmp_path / "p.csv", [[20] * 3, [21] * 3, [22] * 3, [23] * 3], particle_id=ids
    )
    out = tmp_path / "s.particles.zarr"
    with pytest.raises(DataError, match=r"found 1 particle ids again, a, .*deduplicate=true"):
        extract_particles(store, csv, out, box=8)
    report = extract_particles(store, csv, out, box=8, deduplicate=True)
    assert (report.extracted, report.duplicates) == (3, 1)
    assert sorted(open_stack(out).table["particle_id"]) == ["a", "b", "c"]
