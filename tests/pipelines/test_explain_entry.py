"""`explain` says why, or in one line why not, of a model with a law that was planted."""

import json
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.simulation.nuclei import draw_factors, render_nuclei
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import log_bundle
from latentlaw.tracking.names import LATENTS
from latentlaw.tracking.reading.logged import load_json
from latentlaw.tracking.recording.runs import configure_tracking, log_json, stage_run

Entry = Callable[..., int]

N, BOX = 12, 16
SIGMA = np.array([1.0, 2.0])


def log_model(equations: EquationModel | None) -> str:
    config = ModelConfig.model_validate(
        {
            "family": "tc-vae",
            "image_shape": (1, BOX, BOX),
            "latent_dims": 2,
            "pose_dims": 0,
            "depth": 2,
            "channels": 4,
        }
    )
    mu = SIGMA * np.array([[-1, 1], [1, -1], [-1, -1], [1, 1]] * 8)  # of these deviations
    head = fit_head(mu, np.array(["big", "small"] * 16), mu)
    example = np.zeros((1, 1, BOX, BOX), np.float32)
    with stage_run("discover", {}) as run:
        log_bundle(Bundle(AutoEncoder(config).eval(), head, equations), example)
        log_json(LATENTS, [{"latent": "z0", "meaning": "area, r = 0.93"}])
        return str(run.info.run_id)


@pytest.fixture
def stack(entry: Entry, tmp_path: Path) -> Path:
    configure_tracking()  # into the store of `entry`
    path = tmp_path / "n.particles.zarr"
    table = pd.DataFrame(
        {
            "particle_id": [f"cell{i:02d}" for i in range(N)],
            "label": [None, *["small"] * (N - 1)],
            "group": [f"g{i}" for i in range(N)],
        }
    )
    factors = draw_factors(N, torch.Generator().manual_seed(0))
    with new_stack(path, item_shape=(1, BOX, BOX)) as writer:
        writer.append(render_nuclei(factors, BOX), table)
    return path


@pytest.fixture
def law() -> EquationModel:
    names = ("z0", "z1")
    return EquationModel(("big", "small"), names, (parse("2*z0 - 3*z1 + 5", names),))


def test_a_planted_law_is_explained(
    stack: Path, law: EquationModel, entry: Entry, capsys, tmp_path: Path
) -> None:
    out = tmp_path / "why"
    why = {"model": log_model(law), "data": stack, "particle": "cell00,cell07", "out": out}
    assert entry("explain", **why) == 0
    said = capsys.readouterr().out
    assert "cell00: small (not labelled), ahead of big by" in said
    assert "cell07: small (labelled small)" in said
    assert "area, r = 0.93" in said
    assert "2*z0" in said
    assert "smallest change that flips it" in said
    records = json.loads((out / "explanation.json").read_text())
    assert [record["particle_id"] for record in records] == ["cell00", "cell07"]
    for record in records:
        z0, z1 = record["latents"].values()
        wanted = (2 * z0 - 3 * z1 + 5) / np.hypot(2 * SIGMA[0], 3 * SIGMA[1])
        assert record["flip"]["class"] == "big"
        assert record["flip"]["distance_sd"] == pytest.approx(wanted, rel=1e-3)
    assert (out / "explanation.png").read_bytes().startswith(b"\x89PNG")
    run = mlflow.last_active_run().info.run_id
    assert load_json(run, "explanation.json") == records
    pictures = mlflow.MlflowClient().list_artifacts(run, "figures")
    assert [picture.path for picture in pictures] == ["figures/explanation.png"]


def test_what_cannot_be_explained_is_said_in_one_line(
    stack: Path, law: EquationModel, entry: Entry, capsys, tmp_path: Path
) -> None:
    with_laws, without = log_model(law), log_model(None)
    other = tmp_path / "o.particles.zarr"
    table = pd.DataFrame({"particle_id": ["cell00"], "label": ["small"], "group": ["g"]})
    with new_stack(other, item_shape=(1, 8, 8)) as writer:
        writer.append(np.zeros((1, 1, 8, 8), np.float32), table)

    def refused(**changed: object) -> str:
        given = {"model": with_laws, "data": stack, "particle": "cell00", **changed}
        assert entry("explain", **given) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
        assert len(lines) == 1
        return lines[0]

    unknown = refused(particle="cell00,cel07")
    assert "found no 'cel07' in" in unknown
    assert "did you mean 'cell07'?" in unknown
    assert f"no equations in {without}; run `discover` with model={without}" in refused(
        model=without
    )
    shapes = "found particles of shape (1, 8, 8), expected the model's (1, 16, 16)"
    assert shapes in refused(data=other)
    assert "exists already; pass overwrite=true" in refused(out=tmp_path)
