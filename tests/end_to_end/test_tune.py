"""A study as a user types it: three trials, the best retrained, tested and registered."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from latentlaw.data.particles.writer import new_stack
from latentlaw.tracking.names import TAG_BEST_TRIAL, TAG_PARENT, TAG_STAGE, TAG_TRIAL
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.end_to_end.commands import entry, mlflow_run

SPACE = """
learning_rate: {type: float, low: 1.0e-3, high: 1.0e-2, log: true}
latent_dims: {type: int, low: 2, high: 4}
channels: {type: categorical, choices: [4]}
discover.max_complexity: {type: int, low: 3, high: 7}
discover.budget_s: {type: categorical, choices: [1]}
discover.engine: {type: categorical, choices: [operon]}
"""


def bars(folder: Path) -> str:
    """Make a stack of noisy bars, lying and standing."""
    generator = np.random.default_rng(0)
    labels = np.array(["lying", "standing"] * 30)
    images = generator.normal(0, 0.1, size=(60, 1, 12, 12)).astype(np.float32)
    images[::2, :, 5:7, :] += 1
    images[1::2, :, :, 5:7] += 1
    path = folder / "bars.particles.zarr"
    with new_stack(path, item_shape=(1, 12, 12)) as writer:
        writer.append(images, pd.DataFrame({"label": labels}))
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study ran."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "space.yaml").write_text(SPACE)
    done = mlflow_run(
        folder,
        "tune",
        data=bars(folder),
        model="beta-vae",
        epochs=1,
        trials=3,
        objective="pareto",
        space=folder / "space.yaml",
        study="bars",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "said.txt").write_text(done.stderr)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("latentlaw").experiment_id
    return list(client.search_runs([experiment]))


def staged(runs: list[Run], stage: str) -> list[Run]:
    return [run for run in runs if run.data.tags[TAG_STAGE] == stage]


def test_every_run_is_a_child_of_the_study_and_has_ended(runs: list[Run]) -> None:
    (study,) = staged(runs, "tune")
    stages = sorted(run.data.tags[TAG_STAGE] for run in runs if run is not study)
    assert stages == ["discover", "evaluate", "train", "trial", "trial", "trial"]
    assert {r.data.tags.get(TAG_PARENT) for r in runs if r is not study} == {study.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_trials_log_parameters_epochs_and_measures_of_validation(runs: list[Run]) -> None:
    trials = staged(runs, "trial")
    assert {run.data.tags[TAG_TRIAL] for run in trials} == {"0", "1", "2"}
    for run in trials:
        assert {"learning_rate", "latent_dims", "discover.max_complexity"} <= set(run.data.params)
        assert {"train/loss", "val/loss", "val/classification/macro_f1"} <= set(run.data.metrics)
        assert "val/discovery/equation_complexity" in run.data.metrics
        assert not [name for name in run.data.metrics if name.startswith("classification/")]
        assert run.data.metrics["trial/threads"] >= 1


def test_the_best_is_retrained_as_its_trial_was_and_tested(folder: Path, runs: list[Run]) -> None:
    (study,), (trained,) = staged(runs, "tune"), staged(runs, "train")
    (best,) = (
        run
        for run in staged(runs, "trial")
        if run.data.tags[TAG_TRIAL] == study.data.tags[TAG_BEST_TRIAL]
    )
    assert trained.data.metrics["val/loss"] == pytest.approx(best.data.metrics["val/loss"])
    assert "classification/macro_f1" in staged(runs, "evaluate")[0].data.metrics
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    names = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert {"trials.csv", "best.yaml", "best_discover.yaml", "study.json", "figures"} <= names
    pages = {file.path for file in client.list_artifacts(study.info.run_id, "figures")}
    assert "figures/pareto_front.html" in pages
    table = pd.read_csv(client.download_artifacts(study.info.run_id, "trials.csv", str(folder)))
    assert table["state"].tolist() == ["COMPLETE"] * 3
    assert set(table["run_id"]) == {run.info.run_id for run in staged(runs, "trial")}
    told = yaml.safe_load(
        Path(client.download_artifacts(study.info.run_id, "best.yaml", str(folder))).read_text()
    )
    assert str(told["latent_dims"]) == trained.data.params["latent_dims"]


def test_what_is_said_registers_the_model(folder: Path, runs: list[Run]) -> None:
    (found,) = staged(runs, "discover")
    said = (folder / "said.txt").read_text()
    assert f"-e register -P run={found.info.run_id}" in said
    done = entry(folder, "register", run=found.info.run_id, name="bars")
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_study_with_another_space_is_refused_before_anything_runs(folder: Path) -> None:
    (folder / "other.yaml").write_text(SPACE.replace("high: 4", "high: 5"))
    done = entry(
        folder,
        "tune",
        data=folder / "bars.particles.zarr",
        model="beta-vae",
        epochs=2,
        objective="pareto",
        space=folder / "other.yaml",
        study="bars",
    )
    assert done.returncode == 2
    assert (
        "found 'bars' with other settings (space.latent_dims.high was 4, now 5; epochs was"
    ) in done.stderr
