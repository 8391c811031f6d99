"""Metrics of epochs: each once and in order, whatever the store does meanwhile."""

import json
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.errors import ConfigError, TrackingError
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import stage_run
from latentlaw.tracking.recording.spool import Spool, send_left
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import start

EPOCHS = 40
Failing = Callable[[Callable[[int], bool], bool], None]


@pytest.fixture(autouse=True)
def store(tracking_store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setattr(EpochLogger, "_SHARE", math.inf)  # send as fast as it can
    monkeypatch.setattr(EpochLogger, "_FIRST_WAIT_S", 0.01)
    return tracking_store


def steps(client: MlflowClient, run_id: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run_id, "train/loss")]


def train(epochs: int, then: Callable[[str], object] = lambda _: None) -> None:
    """Log epochs of a new run, then act on it, before the logger is done."""
    with stage_run("train", {}) as run, EpochLogger(run.info.run_id) as log:
        for epoch in range(epochs):
            log(epoch, {"train/loss": float(epoch)})
        then(run.info.run_id)


def kept(run_id: str) -> Path:
    return Path("unsent_metrics") / f"{run_id}.jsonl"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Return a function that makes calls fail, before or after the store has taken them."""
    real = MlflowClient.log_batch

    def install(fails: Callable[[int], bool], after: bool) -> None:
        calls = 0

        def log_batch(client: MlflowClient, run_id: str, **content: object) -> None:
            nonlocal calls
            if not content.get("metrics"):
                real(client, run_id, **content)
                return
            calls += 1
            if after or not fails(calls):
                real(client, run_id, **content)
            if fails(calls):
                raise MlflowException("no answer")

        monkeypatch.setattr(MlflowClient, "log_batch", log_batch)

    return install


@pytest.mark.parametrize("after", [False, True], ids=["lost", "answer lost"])
def test_every_other_call_fails(store: MlflowClient, failing: Failing, after: bool) -> None:
    with stage_run("train", {}) as run:
        failing(lambda call: call % 2 == 1, after)
        with EpochLogger(run.info.run_id) as log:
            for epoch in range(EPOCHS):
                log(epoch, {"train/loss": float(epoch), "val/loss": 0.0})
                time.sleep(0.002)
    assert steps(store, run.info.run_id) == list(range(EPOCHS))
    assert len(store.get_metric_history(run.info.run_id, "val/loss")) == EPOCHS
    assert not kept(run.info.run_id).exists()


def test_more_metrics_than_one_call_takes(store: MlflowClient) -> None:
    with stage_run("train", {}) as run, EpochLogger(run.info.run_id) as log:
        for epoch in range(600):
            log(epoch, {"train/loss": float(epoch), "val/loss": 0.0})
    assert steps(store, run.info.run_id) == list(range(600))


def log_and_die(folder: Path, uri: str, run_id: str) -> None:
    """Log while nothing can be sent, and die without a word."""
    import mlflow

    os.chdir(folder)
    mlflow.set_tracking_uri(uri)
    MlflowClient.log_batch = _refuse
    with EpochLogger(run_id) as log:
        for epoch in range(EPOCHS):
            log(epoch, {"train/loss": float(epoch)})
        os._exit(9)


def _refuse(*_: object, **__: object) -> None:
    raise OSError("no connection")


def test_a_killed_process_loses_nothing(
    tmp_path: Path, store: MlflowClient, capfd: pytest.CaptureFixture
) -> None:
    with stage_run("train", {}) as run:
        pass
    run_id = run.info.run_id
    child = start(log_and_die, tmp_path, os.environ["MLFLOW_TRACKING_URI"], run_id)
    child.join(120)
    assert child.exitcode == 9
    assert steps(store, run_id) == []
    with kept(run_id).open("a") as file:
        file.write('{"key": "train/loss", "val')  # it died within a line
    with stage_run("evaluate", {}):
        pass
    assert f"sent the {EPOCHS} metrics of unsent_metrics/{run_id}.jsonl" in capfd.readouterr().err
    assert steps(store, run_id) == list(range(EPOCHS))
    assert not kept(run_id).exists()


def test_resumed_with_what_a_killed_process_left(tmp_path: Path, store: MlflowClient) -> None:
    with stage_run("train", {}) as run:
        pass
    child = start(log_and_die, tmp_path, os.environ["MLFLOW_TRACKING_URI"], run.info.run_id)
    child.join(120)
    with EpochLogger(run.info.run_id) as log:  # tells all again, as a training does
        for epoch in range(EPOCHS + 2):
            log(epoch, {"train/loss": float(epoch)})
    assert steps(store, run.info.run_id) == list(range(EPOCHS + 2))


def test_what_cannot_be_sent_stays_and_says_where(
    store: MlflowClient,
    failing: Failing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EpochLogger, "_FLUSH_S", 0.2)
    failing(lambda call: True, False)
    with pytest.raises(TrackingError, match=r"3 metrics .* are kept in unsent_metrics/\w+\.jsonl"):
        train(3)
    (left,) = Path("unsent_metrics").iterdir()
    lines = left.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines[1:]] == [0, 1, 2]
    assert store.get_run(left.stem).info.status == "FAILED"


def test_an_error_of_the_training_is_not_hidden(
    failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpochLogger, "_HURRIED_FLUSH_S", 0.1)
    failing(lambda call: True, False)

    def break_down(_: str) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        train(1, break_down)


def test_a_deleted_run_is_told_and_not_asked_for_ever(
    store: MlflowClient,
    failing: Failing,
    capfd: pytest.CaptureFixture,
) -> None:
    failing(lambda call: call == 1, False)
    with pytest.raises(TrackingError, match="refuses them"):
        train(1, store.delete_run)
    send_left(os.environ["MLFLOW_TRACKING_URI"])
    assert "remove the file if its run is gone" in capfd.readouterr().err
    (left,) = Path("unsent_metrics").iterdir()
    assert left.stat().st_size


def test_metrics_of_another_server_are_left_alone(store: MlflowClient) -> None:
    spool = Spool("0" * 32, "http://user:secret@elsewhere:5000")
    spool.append([])
    spool.close()
    before = spool.path.read_bytes()
    assert b"secret" not in before
    send_left(os.environ["MLFLOW_TRACKING_URI"])
    assert spool.path.read_bytes() == before


def test_one_writer_and_a_folder_that_can_be_written(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool = Spool("a", "sqlite:///x.db")
    with pytest.raises(ConfigError, match="another process writes the metrics of run a"):
        Spool("a", "sqlite:///x.db")
    spool.close()
    assert not spool.path.exists()
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENTLAW_SPOOL", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="set LATENTLAW_SPOOL"):
        Spool("a", "sqlite:///x.db")


def test_a_run_waits_for_who_sends_what_it_left(store: MlflowClient) -> None:
    """One that goes on as another process sends its old metrics is not refused."""
    sender = Spool("a", "sqlite:///x.db")
    threading.Timer(0.5, sender.close).start()
    spool = Spool("a", "sqlite:///x.db", wait_s=20)
    spool.append([Metric("loss", 1.0, 0, 0)])
    assert spool.path.exists(), "written to a file that the sender had taken away"
    spool.clear()
    spool.close()


def test_a_full_disk_costs_the_copy_alone(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    with stage_run("train", {}) as run, EpochLogger(run.info.run_id) as log:
        for epoch in range(3):
            log(epoch, {"train/loss": float(epoch)})
    assert steps(store, run.info.run_id) == [0, 1, 2]
    assert capfd.readouterr().err.count("No space left on device") == 1
