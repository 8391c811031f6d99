"""Rungs that were planted are told apart: one looks at the nucleus, one beside it."""

import mlflow
import numpy as np
import pytest
import torch
from latentlaw.data.simulation.nuclei import draw_factors, render_nuclei
from latentlaw.discovery.robustness.probing import ProbeImages, Probes
from latentlaw.evaluation.meanings.shifts import Shift
from latentlaw.models.normalisation import Normalisation
from latentlaw.tracking.reading.logged import load_json
from latentlaw.tracking.recording.runs import stage_run
from mlflow.tracking import MlflowClient

from pipelines.cli.command import ProgressBar
from pipelines.discovery.robustness import attacked_rows, log_robustness

BOX = 24


def margin_of(score: torch.Tensor) -> torch.Tensor:
    return torch.stack((torch.zeros_like(score), score), dim=1)


@pytest.fixture(scope="module")
def images() -> ProbeImages:
    """Dim nuclei of class 0 and bright ones of class 1, with a mark in a corner of the bright."""
    factors = draw_factors(16, torch.Generator().manual_seed(0))
    labels = np.arange(16) % 2
    factors["intensity"] = np.where(labels == 1, 0.9, 0.45)
    factors = factors.assign(size=0.2, elongation=1.2, x=0.0, y=0.0)
    raw = render_nuclei(factors, BOX)
    raw[labels == 1, :, :2, :2] = 0.2
    return ProbeImages(raw, labels, Normalisation(kind="global", scale=1.0))


def test_a_shortcut_is_told_from_a_rung_that_looks_at_the_nucleus(
    images: ProbeImages, tracking_store: MlflowClient, capsys
) -> None:
    disc = torch.as_tensor(
        np.hypot(*(np.indices((BOX, BOX)) - BOX // 2)) < 3
    ).float()  # in each nucleus
    total = float((torch.from_numpy(images.raw) * disc).sum(dim=(1, 2, 3)).mean())
    rungs = {
        "nucleus": lambda x: margin_of((x.sinh() * disc).sum(dim=(1, 2, 3)) - total),
        "corner": lambda x: margin_of(x[:, :, :2, :2].sum(dim=(1, 2, 3)) - 0.4),
    }
    shifts = [Shift.parse(text) for text in ("equal_intensity", "translation_4")]
    probes = Probes((0.0, 0.1), (1.0,), shifts)
    with stage_run("discover", {}) as run:
        log_robustness(rungs, images, probes, ["dim", "bright"], ProgressBar())
        run_id = run.info.run_id
    metrics = tracking_store.get_run(run_id).data.metrics
    assert metrics["robustness/nucleus/eps_0"] == metrics["robustness/corner/eps_0"] == 1
    assert metrics["robustness/nucleus/inside"] == pytest.approx(1, abs=1e-3)
    assert metrics["robustness/corner/inside"] == 0
    assert 0.05 < metrics["robustness/corner/inside_chance"] < 0.3
    # The nearest change of a sum of 4 pixels, 0.4 from its boundary, is 0.4 / sqrt(4) long.
    assert metrics["robustness/corner/median_l2"] == pytest.approx(0.2, rel=0.1)
    assert metrics["robustness/corner/median_linf"] == pytest.approx(0.1, rel=0.1)
    moved = "robustness/{}/change_total_intensity"
    assert metrics[moved.format("nucleus")] > 10 * metrics[moved.format("corner")]
    assert metrics["shifts/nucleus/equal_intensity"] < 0.8 < metrics["shifts/nucleus/none"]
    assert metrics["shifts/corner/translation_4"] < 1
    records = load_json(run_id, "robustness.json")
    assert [record["family"] for record in records] == ["nucleus", "corner"]
    assert records[0]["attacks"]["l2"]["median_radius"] == pytest.approx(
        metrics["robustness/nucleus/median_l2"]
    )
    assert records[0]["unit"] == "normalised images"
    path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/figures/perturbations.png")
    with open(path, "rb") as picture:
        assert picture.read(4) == b"\x89PNG"
    assert "nucleus leans most on total intensity" in capsys.readouterr().err


def test_particles_to_attack_are_drawn_from_all_and_fewer_where_they_are_large() -> None:
    rows = attacked_rows(1000, 40 * 40, seed=0)
    assert len(rows) == len(set(rows.tolist())) == 200
    assert rows.max() > 900  # not the first, which are of one class
    assert len(attacked_rows(1000, 32**3, seed=0)) == 32
    assert len(attacked_rows(1000, 32**3, seed=0, most=300)) == 300
    assert len(attacked_rows(10, 40 * 40, seed=0)) == 10
