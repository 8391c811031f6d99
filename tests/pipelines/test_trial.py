"""A trial of real training, in this process."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from latentlaw.data.particles.writer import new_stack
from latentlaw.errors import PrunedError
from latentlaw.tuning.runs import begin_trial_run, close_left_runs
from latentlaw.tuning.server import Request

from pipelines.tuning.trial import run_trial

F1 = "classification/macro_f1"


@pytest.fixture
def trial(tmp_path: Path, tracking_store: mlflow.MlflowClient) -> Request:
    """A trial on noisy bars, lying and standing, with a run of its own."""
    generator = np.random.default_rng(0)
    images = generator.normal(0, 0.1, size=(60, 1, 8, 8)).astype(np.float32)
    images[::2, :, 3:5, :] += 1
    images[1::2, :, :, 3:5] += 1
    path = tmp_path / "bars.particles.zarr"
    with new_stack(path, item_shape=(1, 8, 8)) as writer:
        writer.append(images, pd.DataFrame({"label": ["lying", "standing"] * 30}))
    experiment = tracking_store.get_experiment_by_name("latentlaw").experiment_id
    parent = tracking_store.create_run(experiment).info.run_id
    drawn = {"learning_rate": 3e-3, "channels": 4, "latent_dims": 2}
    values = {"data": str(path), "model": "beta-vae", "epochs": 4, "seed": 0, "gamma": 0}
    run_id = begin_trial_run(mlflow.get_tracking_uri(), parent, "bars/0", 0, drawn)
    return Request(values, drawn, (F1,), prunable=True, run_id=run_id)


def test_a_trial_tells_its_objective_after_each_epoch(
    trial: Request, tracking_store: mlflow.MlflowClient
) -> None:
    told: dict[int, float] = {}
    measures = run_trial(trial, told.__setitem__)
    assert list(told) == [0, 1, 2, 3]
    assert measures[F1] in told.values()
    assert measures["trial/threads"] == 1
    history = tracking_store.get_metric_history(trial.run_id, f"val/{F1}")
    assert {metric.step: metric.value for metric in history} == told
    run = tracking_store.get_run(trial.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "trial 0"
    assert not tracking_store.list_artifacts(trial.run_id, "checkpoints")


def test_what_is_told_does_not_change_what_is_learned(trial: Request) -> None:
    pruned = run_trial(trial, lambda epoch, value: None)
    alone = replace(trial, prunable=False)
    assert run_trial(alone, lambda epoch, value: pytest.fail("was told")) == pruned


def test_a_pruned_trial_ends_killed_with_the_epochs_that_it_had(
    trial: Request, tracking_store: mlflow.MlflowClient
) -> None:
    def report(epoch: int, value: float) -> None:
        if epoch == 1:
            raise PrunedError("enough")

    with pytest.raises(PrunedError):
        run_trial(trial, report)
    assert tracking_store.get_run(trial.run_id).info.status == "KILLED"
    history = tracking_store.get_metric_history(trial.run_id, "val/loss")
    assert [metric.step for metric in history] == [0, 1]


def test_runs_of_a_study_that_was_killed_are_closed_unless_a_trial_runs(
    trial: Request, tracking_store: mlflow.MlflowClient
) -> None:
    left = tracking_store.get_run(trial.run_id)
    old = left.data.tags["mlflow.parentRunId"]
    for key, value in {"latentlaw.study": "bars/0", "latentlaw.stage": "tune"}.items():
        tracking_store.set_tag(old, key, value)
    own = tracking_store.create_run(left.info.experiment_id).info.run_id
    retrained = tracking_store.create_run(
        left.info.experiment_id, tags={"mlflow.parentRunId": old}
    ).info.run_id
    uri = mlflow.get_tracking_uri()

    def status() -> list[str]:
        return [tracking_store.get_run(run).info.status for run in (old, trial.run_id, retrained)]

    close_left_runs(uri, "bars/0", own, {0: None})
    close_left_runs(uri, "bars/1", own, {0: "dead"})
    assert status() == ["RUNNING"] * 3
    close_left_runs(uri, "bars/0", own, {0: "complete"})
    assert status() == ["KILLED", "FINISHED", "KILLED"]
    assert tracking_store.get_run(trial.run_id).data.tags["mlflow.parentRunId"] == own
