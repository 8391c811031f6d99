"""A dozen trainings on one SQLite file at once, or one while it is locked, lose nothing."""

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import configure_tracking, log_json, log_metrics, stage_run
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import start

NAME = "at-once"
RUNS, EPOCHS = 12, 10
TERMS = ("train/loss", "train/kl", "val/loss")


def log_all(folder: Path, uri: str, number: int) -> None:
    """Log a run with parameters, an artifact, and a write an epoch."""
    os.chdir(folder)
    os.environ |= {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": NAME}
    configure_tracking()
    EpochLogger._SHARE = 1.0
    with stage_run("train", {"number": number}) as run:
        with EpochLogger(run.info.run_id) as log:
            for epoch in range(EPOCHS):
                log(epoch, dict.fromkeys(TERMS, float(number)))
        log_json("x.json", number)


@pytest.mark.parametrize("made", [False, True], ids=["new store", "store that is there"])
def test_row_47_many_runs_at_once(tmp_path: Path, tracking_folder: Path, made: bool) -> None:
    folder = tracking_folder if made else tmp_path
    uri = f"sqlite:///{folder}/mlflow.db"
    runs_wanted = RUNS if made else 4
    children = [start(log_all, tmp_path, uri, number) for number in range(runs_wanted)]
    for child in children:
        child.join(240)
    assert [child.exitcode for child in children] == [0] * runs_wanted
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(NAME)
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(int(run.data.params["number"]) for run in runs) == list(range(runs_wanted))
    for run in runs:
        assert run.info.status == "FINISHED"
        for term in TERMS:
            history = client.get_metric_history(run.info.run_id, term)
            assert [metric.step for metric in history] == list(range(EPOCHS))
            assert {metric.value for metric in history} == {float(run.data.params["number"])}
    assert not list((tmp_path / "unsent_metrics").glob("*"))


def test_row_47_a_file_that_another_has_locked(
    tmp_path: Path, tracking_store: MlflowClient
) -> None:
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None, check_same_thread=False)
    with stage_run("train", {}) as run, EpochLogger(run.info.run_id) as log:
        other.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        for epoch in range(EPOCHS):
            log(epoch, dict.fromkeys(TERMS, 1.0))
        assert time.monotonic() - start < 1, "a training waits for the file"
        threading.Timer(2, other.execute, ["COMMIT"]).start()
        log_metrics({"separation/silhouette": 0.5})
        assert time.monotonic() - start > 1.5, "the file was not locked"
    metrics = tracking_store.get_run(run.info.run_id).data.metrics
    assert metrics["separation/silhouette"] == 0.5
    for term in TERMS:
        history = tracking_store.get_metric_history(run.info.run_id, term)
        assert [metric.step for metric in history] == list(range(EPOCHS))
    other.close()
