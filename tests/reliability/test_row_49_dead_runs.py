"""A run that a killed process left open is marked KILLED; those of the living are not."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.tracking.names import TAG_PROCESS
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import start


def hang(uri: str, told: Path) -> None:
    """Open a run and a child of it, and never end them."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    configure_tracking()
    with stage_run("main", {}) as parent, stage_run("train", {}) as child:
        told.write_text(f"{parent.info.run_id} {child.info.run_id}")
        time.sleep(600)


def test_row_49_dead_runs(
    tmp_path: Path,
    tracking_folder: Path,
    entry: Callable[..., int],
    capsys: pytest.CaptureFixture,
) -> None:
    uri = f"sqlite:///{tracking_folder}/mlflow.db"
    client = MlflowClient(uri)

    def status(run_id: str) -> str:
        return str(client.get_run(run_id).info.status)

    dying = start(hang, uri, tmp_path / "told")
    while not (tmp_path / "told").exists() or not (tmp_path / "told").read_text():
        assert dying.is_alive()
        time.sleep(0.05)
    parent, child = (tmp_path / "told").read_text().split()
    elsewhere = client.create_run("0", tags={TAG_PROCESS: "another-host:1:0.0"}).info.run_id
    foreign = client.create_run("0").info.run_id
    # A process id that another process has been given since.
    reused = client.create_run("0", tags={TAG_PROCESS: f"{os.uname().nodename}:1:0.0"})
    with stage_run("train", {}) as own:
        assert entry("doctor") == 0
        assert status(own.info.run_id) == status(parent) == "RUNNING"
    dying.kill()
    dying.join()
    assert entry("doctor") == 0
    told = capsys.readouterr().err
    for run_id in (parent, child, reused.info.run_id):
        assert status(run_id) == "KILLED"
        assert f"run {run_id}: its process is dead; marked KILLED" in told
    assert status(elsewhere) == status(foreign) == "RUNNING"
    assert f"run {elsewhere}: runs on another-host" in told
    assert status(own.info.run_id) == "FINISHED"
