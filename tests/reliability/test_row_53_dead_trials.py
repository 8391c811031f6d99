"""A study outlives its trials, and, begun again by the same command, a kill of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import optuna
import psutil
import pytest
from latentlaw.tracking.names import TAG_PARENT, TAG_STAGE, TAG_TRIAL, TAG_TRIAL_STATE
from latentlaw.tuning.pool import local_pool
from optuna.trial import TrialState

from tests.tuning.fake_studies import tune

ROOT = Path(__file__).parents[2]
TRIALS = 6


def start(folder: Path, seconds: float = 0.5) -> subprocess.Popen[bytes]:
    order: dict[str, Any] = {
        "folder": str(folder),
        "trials": TRIALS,
        "beat_s": 2,
        "values": {"act": "sleep", "seconds": seconds},
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
    study = optuna.load_study(study_name="fake", storage=f"sqlite:///{tmp_path}/optuna.db")
    before = study.get_trials(states=(TrialState.COMPLETE,))
    (dead,) = study.get_trials(states=(TrialState.RUNNING,))
    assert len(before) == 2

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


def test_row_53_a_trial_ends_with_its_study(tmp_path: Path) -> None:
    child = start(tmp_path, seconds=100)
    try:
        while not begun(tmp_path):
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()  # the trial, in a session of its own, is not told
        (trial,) = begun(tmp_path)
        end = time.monotonic() + 20
        while psutil.pid_exists(trial):
            assert time.monotonic() < end, "a trial outlived its study"
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
        for left in begun(tmp_path):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(
    ("act", "retries", "attempts", "status"),
    [("bug", 2, 1, "FAILED"), ("segfault", 2, 3, "KILLED"), ("server", 1, 2, "KILLED")],
)
def test_row_53_trials_that_crash_or_die(
    tmp_path: Path,
    tracking_store: mlflow.MlflowClient,
    act: str,
    retries: int,
    attempts: int,
    status: str,
) -> None:
    with local_pool(1) as pool:
        study = tune(tmp_path, pool, trials=1, values={"act": act}, retries=retries)
        assert [trial.state for trial in study.trials] == [TrialState.FAIL] * attempts
        assert tune(tmp_path, pool, trials=2).trials[-1].state == TrialState.COMPLETE
    (*dead, _) = runs_of_trials(tracking_store)
    assert [run.info.status for run in dead] == [status] * attempts


def test_row_53_pruned_trials(tmp_path: Path, tracking_store: mlflow.MlflowClient) -> None:
    with local_pool(1) as pool:
        study = tune(tmp_path, pool, trials=16, values={"epochs": 4}, pruner="median")
    pruned = {trial.number for trial in study.trials if trial.state == TrialState.PRUNED}
    assert 0 < len(pruned) < 16
    for run in runs_of_trials(tracking_store):
        ended = "KILLED" if int(run.data.tags[TAG_TRIAL]) in pruned else "FINISHED"
        assert run.info.status == ended


def runs_of_trials(client: mlflow.MlflowClient) -> list[mlflow.entities.Run]:
    """Return the runs of trials in the order of their numbers."""
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    trials = [run for run in runs if TAG_TRIAL in run.data.tags]
    return sorted(trials, key=lambda run: int(run.data.tags[TAG_TRIAL]))
