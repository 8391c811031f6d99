"""`export` writes what it says, of a logged model, or one line and nothing."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.export import encoder as export_encoder
from latentlaw.serving.log import log_bundle
from latentlaw.tracking.names import LATENTS
from latentlaw.tracking.recording.runs import configure_tracking, log_json, stage_run

Entry = Callable[..., int]


@pytest.fixture
def model(entry: Entry) -> str:
    configure_tracking()  # into the store of `entry`
    config = ModelConfig.model_validate(
        {"family": "tc-vae", "image_shape": (1, 8, 8), "latent_dims": 2, "pose_dims": 0}
        | {"depth": 1, "channels": 4}
    )
    mu = np.random.default_rng(0).normal(size=(30, 2))
    head = fit_head(mu, np.where(mu[:, 0] > 0, "big", "small"), mu)
    law = EquationModel(("big", "small"), ("z0", "z1"), (parse("1.0 - z0*z1", ("z0", "z1")),))
    example = np.random.default_rng(1).normal(size=(2, 1, 8, 8)).astype(np.float32)
    with stage_run("discover", {}) as run:
        log_bundle(Bundle(AutoEncoder(config).eval(), head, law), example)
        log_json(LATENTS, [{"latent": "z0", "meaning": "area, r = 0.93"}])
        return str(run.info.run_id)


def test_a_logged_model_is_exported_and_what_lies_there_is_kept(
    model: str, entry: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert entry("export", model=model, out=out) == 0
    assert f"export: {out}: README.md, digests.json, encoder.onnx" in capsys.readouterr().err
    assert "area, r = 0.93" in (out / "law.tex").read_text()
    (run,) = mlflow.search_runs(
        filter_string="tags.`latentlaw.stage` = 'export'", output_format="list"
    )
    assert 0 <= run.data.metrics["export/onnx_error"] < 1e-4
    written = (out / "law.c").stat().st_mtime_ns
    assert entry("export", model=model, out=out) == 2
    assert "exists already; pass overwrite=true" in capsys.readouterr().err
    assert (out / "law.c").stat().st_mtime_ns == written


def test_what_differs_from_the_model_is_not_exported(
    model: str,
    entry: Entry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_encoder, "TOLERANCE", -1.0)
    assert entry("export", model=model, out=tmp_path / "out") == 2
    assert "encoder.pt2: mu of a batch of 1 differs by" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_is_named(
    entry: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry("export", model="models:/nothing@champion", out=tmp_path / "out") == 2
    assert "models:/nothing@champion: found no logged model" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
