"""`predict` from the command line to its files: a stack, coordinates, none, and what is wrong."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from latentlaw.data.star.reading import read_star
from latentlaw.serving.log import log_bundle
from latentlaw.tracking.recording.runs import configure_tracking, stage_run

from pipelines.cli.parameters import build
from pipelines.training.fitting import set_up
from pipelines.training.parameters import Train
from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise
from tests.serving.small_bundles import BOX, SIZE_A, small_bundle, small_stack

Entry = Callable[..., int]


@pytest.fixture
def model(entry: Entry) -> str:
    configure_tracking()
    with stage_run("train", {}) as run:
        log_bundle(small_bundle(), np.zeros((1, 1, BOX, BOX, BOX), np.float32))
        return str(run.info.run_id)


def test_a_stack_coordinates_and_none(entry: Entry, model: str, tmp_path: Path, capsys) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr")
    assert entry("predict", model=model, source=stack, out=tmp_path / "a") == 0
    assert "40 predicted" in capsys.readouterr().err
    assert len(pd.read_parquet(tmp_path / "a" / "predictions.parquet")) == 40

    make_tomogram(tmp_path / "stores", noise())
    csv = make_coordinates(tmp_path / "p.csv", [[20, 20, 20], [10.4, 30, 30]])
    run = {"model": f"runs:/{model}/model", "source": tmp_path / "stores"}
    assert entry("predict", **run, coordinates=csv, out=tmp_path / "b") == 0
    star = read_star(tmp_path / "b" / "predictions.star")
    np.testing.assert_allclose(star[["z", "y", "x"]], [[200, 200, 200], [104, 300, 300]])
    logged = mlflow.last_active_run().data
    assert logged.tags["latentlaw.stage"] == "predict"
    assert logged.metrics["predict/predicted"] == 2

    picking = {"stride": 4, "threshold": -100, "min_distance": 120}
    assert entry("predict", **run, out=tmp_path / "c", **picking) == 0
    picks = pd.read_parquet(tmp_path / "c" / "predictions.parquet")
    assert picks["score"].is_monotonic_decreasing
    apart = np.linalg.norm(picks[list("zyx")].values[:, None] - picks[list("zyx")].values, axis=2)
    assert apart[np.triu_indices(len(picks), 1)].min() >= 120
    again = read_star(tmp_path / "c" / "predictions.star")
    assert again["label"].tolist() == picks["class"].tolist()


def test_training_keeps_the_voxel_size_that_predict_compares(tmp_path: Path) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr", groups=10)
    given = {"data": str(stack), "model": "beta-vae", "depth": "1"}
    assert set_up(build(Train, given)).model.config.voxel_size_a == SIZE_A


def test_what_is_wrong_is_said_in_one_line(
    entry: Entry, model: str, tmp_path: Path, capsys
) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr")

    def refused(**changed: object) -> str:
        given = {"model": model, "source": stack, "out": tmp_path / "out", **changed}
        assert entry("predict", **given) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
        assert len(lines) == 1
        assert not (tmp_path / "out").exists()
        return lines[0]

    assert "no logged model" in refused(model="0" * 32)
    assert "found no nothing; give a particle stack or tomogram stores" in refused(
        source="nothing"
    )
    assert "whose particles are cut out" in refused(coordinates="p.csv")
    assert "found no tomogram store *.ome.zarr" in refused(source=tmp_path)
    assert (
        "Input should be greater than or equal to 1 or Input should be 'auto', found '0'"
        in refused(batch_size=0)
    )
