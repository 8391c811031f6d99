"""Row 10: a constant subtomogram is flagged, and normalisation makes it zeros, not NaN."""

from pathlib import Path
from typing import get_args

import torch
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.models.normalisation import Normalisation, NormalisationKind

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise


def test_row_10_constant_boxes(tmp_path: Path) -> None:
    volume = noise()
    volume[:20] = 0.1
    volume[:20, 24:] = 1234.567
    store = make_tomogram(tmp_path, volume)
    csv = make_coordinates(tmp_path / "p.csv", [[10, 10, 10], [10, 35, 10], [30, 30, 30]])
    report = extract_particles(
        store, csv, tmp_path / "s.particles.zarr", box=10
    )  # a mean of 1,000 voxels is rounded
    assert sorted(report.constant) == ["tomo-000000", "tomo-000001"]
    assert report.counts["constant"] == 2
    stack = open_stack(report.path)
    images = torch.from_numpy(stack.read())
    constant = torch.tensor(stack.table["particle_id"].isin(report.constant).to_numpy())
    for kind in get_args(NormalisationKind):
        normalised = Normalisation(kind=kind)(images)
        assert (normalised[constant] == 0).all(), kind
        assert torch.isfinite(normalised).all()
        assert normalised[~constant].std() > 0.05
