"""Trials as tasks of a Dask cluster, each in a process of its own."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from dask import distributed
from latentlaw.errors import ConfigError
from latentlaw.tracking.names import TAG_TRIAL
from latentlaw.tuning.pool import cluster_pool, cores
from optuna.trial import TrialState

from tests.tuning.fake_studies import tune


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Return a cluster of two workers on this machine."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as opened:
        yield opened


def test_trials_run_on_workers_and_survive_the_death_of_one(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, cluster: Any
) -> None:
    victim = cluster.workers[0].pid

    def kill_when_trials_run() -> None:
        while len(list(tmp_path.glob("[0-9]*-[0-9]*"))) < 2:
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_when_trials_run, daemon=True)
    killer.start()
    with cluster_pool(cluster.scheduler_address) as pool:
        assert pool.slots == 2
        study = tune(tmp_path, pool, trials=5, beat_s=2, values={"act": "sleep", "seconds": 0.5})
    killer.join(10)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    (dead,) = (trial for trial in study.trials if trial.state == TrialState.FAIL)
    assert len(complete) == 5
    assert [trial.params for trial in study.trials].count(dead.params) == 2
    threads = max(trial.user_attrs["measures"]["trial/threads"] for trial in complete)
    assert 2 * threads <= max(2, cores())
    (experiment,) = (e for e in tracking_store.search_experiments() if e.name != "Default")
    status = {
        int(run.data.tags[TAG_TRIAL]): run.info.status
        for run in tracking_store.search_runs([experiment.experiment_id])
        if TAG_TRIAL in run.data.tags
    }
    assert status == {
        trial.number: "KILLED" if trial.number == dead.number else "FINISHED"
        for trial in study.trials
    }


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with (
        pytest.raises(ConfigError, match="scheduler: no Dask scheduler answers at tcp:/"),
        cluster_pool("tcp:/127.0.0.1"),
    ):
        pass
