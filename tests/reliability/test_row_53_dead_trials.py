"""A study that is killed, and begun again by the same command, has every trial that was asked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import optuna
import psutil
from latentlaw.tracking.names import TAG_PARENT, TAG_STAGE, TAG_TRIAL, TAG_TRIAL_STATE
from optuna.trial import TrialState

ROOT = Path(__file__).parents[2]
TRIALS = 6


def start(folder: Path) -> subprocess.Popen[bytes]:
    order: dict[str, Any] = {
        "folder": str(folder),
        "trials": TRIALS,
        "beat_s": 2,
        "values": {"act": "sleep", "seconds": 0.5},
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tuning.fake_studies", json.dumps(order)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        },
        start_new_session=True,
    )


def begun(folder: Path) -> list[int]:
    """Return the process ids of the trials that began, in order."""
    return [int(mark.name.split("-")[1]) for mark in sorted(folder.glob("[0-9]*-[0-9]*"))]


def test_row_53_killed_study(tmp_path: Path) -> None:
    child = start(tmp_path)
    while len(begun(tmp_path)) < 3:
        assert child.poll() is None
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    (*_, last) = begun(tmp_path)
    study = optuna.load_study(study_name="fake", storage=f"sqlite:///{tmp_path}/optuna.db")
    before = study.get_trials(states=(TrialState.COMPLETE,))
    (dead,) = study.get_trials(states=(TrialState.RUNNING,))
    assert len(before) == 2
    end = time.monotonic() + 10
    while psutil.pid_exists(last):
        assert time.monotonic() < end, "a trial outlived its study"
        time.sleep(0.05)

    assert start(tmp_path).wait(200) == 0
    after = study.get_trials()
    complete = [trial for trial in after if trial.state == TrialState.COMPLETE]
    assert len(complete) == TRIALS
    assert [(t.number, t.value, t.params) for t in complete[:2]] == [
        (t.number, t.value, t.params) for t in before
    ]
    assert after[dead.number].state == TrialState.FAIL
    assert [t.params for t in after].count(dead.params) == 2, "the dead trial was not run again"

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name != "Default")
    runs = client.search_runs([experiment.experiment_id])
    studies = [run for run in runs if run.data.tags[TAG_STAGE] == "tune"]
    assert [run.info.status for run in studies] == ["FINISHED", "KILLED"]
    trials = {int(run.data.tags[TAG_TRIAL]): run for run in runs if TAG_TRIAL in run.data.tags}
    assert set(trials) == {trial.number for trial in after}
    assert {run.data.tags[TAG_PARENT] for run in trials.values()} == {studies[0].info.run_id}
    for number, run in trials.items():
        died = number == dead.number
        assert run.info.status == ("KILLED" if died else "FINISHED")
        assert run.data.tags[TAG_TRIAL_STATE] == ("dead" if died else "complete")
