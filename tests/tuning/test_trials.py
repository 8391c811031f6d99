"""Trials are processes: whatever becomes of one, its study goes on and its run has ended."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from latentlaw.errors import ConfigError
from latentlaw.tracking.names import TAG_TRIAL, TAG_TRIAL_ERROR, TAG_TRIAL_STATE
from latentlaw.tuning import pool as pools
from latentlaw.tuning.pool import Pool, local_pool, share, visible_gpus
from latentlaw.tuning.study import open_storage
from mlflow.entities import Run
from optuna.trial import TrialState

from tests.tuning.fake_studies import X, tune


def acts(*names: str) -> dict[str, object]:
    return X | {"act": {"type": "categorical", "choices": names}}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with local_pool(1) as opened:
        yield opened


def runs_of_trials(store: mlflow.MlflowClient) -> dict[str, Run]:
    (experiment,) = (e.experiment_id for e in store.search_experiments() if e.name != "Default")
    runs = store.search_runs([experiment])
    assert not [run for run in runs if run.info.status == "RUNNING"]
    return {run.data.tags[TAG_TRIAL]: run for run in runs if TAG_TRIAL in run.data.tags}


@pytest.mark.parametrize(
    ("act", "state", "status", "error", "attempts"),
    [
        ("segfault", "dead", "KILLED", "was ended by SIGSEGV", 2),
        ("exit", "dead", "KILLED", "ended with exit code 7", 2),
        ("server", "dead", "KILLED", "the process of trials was ended by SIGKILL", 2),
        ("memory", "failed", "FAILED", "16 fit: use batch_size=16", 1),
        ("bug", "failed", "FAILED", "ZeroDivisionError: of a bug", 1),
        ("undefined", "failed", "FAILED", "separation/silhouette is not defined", 1),
    ],
)
def test_a_study_survives_its_trials(
    tmp_path: Path,
    tracking_store: mlflow.MlflowClient,
    pool: Pool,
    act: str,
    state: str,
    status: str,
    error: str,
    attempts: int,
) -> None:
    study = tune(tmp_path, pool, trials=1, values={"act": act})
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * attempts
    runs = runs_of_trials(tracking_store)
    assert len(runs) == attempts
    for run in runs.values():
        assert (run.data.tags[TAG_TRIAL_STATE], run.info.status) == (state, status)
        assert error in run.data.tags[TAG_TRIAL_ERROR]
    done = tune(tmp_path, pool, trials=2).trials[-1]
    assert done.state == TrialState.COMPLETE
    assert done.value == done.params["x"]


def test_a_trial_that_died_runs_again_with_the_same_parameters(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, pool: Pool
) -> None:
    study = tune(tmp_path, pool, trials=2, values={"act": "once"})
    first, again, other = study.trials
    assert (first.state, again.state, other.state) == (
        TrialState.FAIL,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    )
    assert first.params == again.params != other.params
    runs = runs_of_trials(tracking_store)
    assert [runs[number].info.status for number in "012"] == ["KILLED", "FINISHED", "FINISHED"]
    assert runs["1"].data.metrics["val/separation/silhouette"] == again.value


def test_trials_below_the_median_are_pruned(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, pool: Pool
) -> None:
    study = tune(tmp_path, pool, trials=16, values={"epochs": 4}, pruner="median")
    runs = runs_of_trials(tracking_store)
    pruned = [t for t in study.trials if t.state == TrialState.PRUNED]
    assert 0 < len(pruned) < 16
    for trial in pruned:
        run = runs[str(trial.number)]
        assert (run.data.tags[TAG_TRIAL_STATE], run.info.status) == ("pruned", "KILLED")
        assert len(trial.intermediate_values) < 4
    assert max(t.value for t in pruned) < study.best_value


def test_a_study_that_has_its_trials_runs_no_other(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, pool: Pool
) -> None:
    tune(tmp_path, pool, trials=2)
    assert len(tune(tmp_path, pool, trials=2).trials) == 2
    assert len(tune(tmp_path, pool, trials=3).trials) == 3


def test_another_study_of_the_same_name_is_refused(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, pool: Pool
) -> None:
    tune(tmp_path, pool, trials=1)
    other = {"x": {"type": "float", "low": 0, "high": 2}}
    with pytest.raises(ConfigError) as refusal:
        tune(tmp_path, pool, trials=2, space=other)
    assert str(refusal.value) == (
        "study: found 'fake' with other settings (space.x.high was 1, now 2); use another `study`"
    )


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://me:secret@host/db",
        "postgresql+pg8000://me:secret@127.0.0.1:1/db",
        "sqlite:////no/such/folder/optuna.db",
        "optuna.db",
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        open_storage(url, 1, 1, "sqlite:///mlflow.db")
    assert str(refusal.value).startswith("storage: ")
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for total in (1, 2, 3, 8, 64):
        monkeypatch.setattr(pools, "cores", lambda total=total: total)
        for workers in range(1, total + 1):
            threads = [int(share(i, workers)["OMP_NUM_THREADS"]) for i in range(workers)]
            assert sum(threads) <= total < sum(threads) + workers
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert share(0, 4)["OMP_NUM_THREADS"] == "2"


def test_workers_take_turns_at_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    gpus = visible_gpus()
    assert [share(i, 3, gpus)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == ["3", "5", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" not in share(0, 1, visible_gpus())


def test_more_workers_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "cores", lambda: 2)
    with pytest.raises(ConfigError, match="workers: found 3, expected at most 2, one core each"):
        local_pool(3).__enter__()


def test_trials_at_once_use_no_more_threads_than_there_are_cores(
    tmp_path: Path, tracking_store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with local_pool(2) as pool:
        study = tune(tmp_path, pool, trials=4, values={"act": "sleep", "seconds": 0.5})
    threads = [trial.user_attrs["measures"]["trial/threads"] for trial in study.trials]
    assert threads == [2] * 4
    starts = sorted((t.datetime_start, t.datetime_complete) for t in study.trials)
    assert starts[1][0] < starts[0][1], "the first two did not run at once"
