"""A training told to stop keeps its state and says so; queued again, it is the same run."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.tracking.names import TAG_RESUME
from latentlaw.tracking.reading.queries import list_runs
from latentlaw.training.keeping import stop_signals
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from pipelines.cli.parameters import parse
from pipelines.training.parameters import Train
from tests.reliability.training_runs import only_run

EPOCHS = 25


def stop_once_kept(folder: Path, number: int) -> None:
    """Send this process a signal when training has gone on for a while."""

    def send() -> None:
        for _ in range(6000):
            if any(folder.glob("0000001[0-9]")):
                os.kill(os.getpid(), number)
                return
            time.sleep(0.01)

    threading.Thread(target=send, daemon=True).start()


def shown(tracking_folder: Path, run: Run) -> str:
    """Return the status that the dashboard shows."""
    runs = list_runs(f"sqlite:///{tracking_folder}/mlflow.db").set_index("run_id")
    return str(runs.loc[run.info.run_id, "status"])


def test_row_43_preempted(
    tmp_path: Path,
    stack: Path,
    tracking_folder: Path,
    entry: Callable[..., int],
    capsys: pytest.CaptureFixture,
) -> None:
    data, folder = stack, tmp_path / "kept"
    own = {"data": data, "model": "beta-vae", "epochs": EPOCHS, "channels": 2, "device": "cpu"}
    stop_once_kept(folder, signal.SIGUSR1)
    assert entry("train", **own, checkpoints=folder, checkpoint_every=0) == 75
    assert (
        f"SIGUSR1 received: the run was kept; go on with resume={folder}"
        in capsys.readouterr().err
    )
    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    stopped = only_run(client, data)
    assert stopped.info.status == "KILLED"
    assert stopped.data.tags[TAG_RESUME] == str(folder)
    assert shown(tracking_folder, stopped) == "PREEMPTED"
    client.set_terminated(stopped.info.run_id, "FAILED")  # as `mlflow run` does
    assert shown(tracking_folder, stopped) == "PREEMPTED"

    assert entry("train", **{**own, "learning_rate": 0.5}, resume=folder) == 2
    assert "train.learning_rate: 0.001 -> 0.5" in capsys.readouterr().err
    assert shown(tracking_folder, stopped) == "PREEMPTED"

    assert entry("train", **own, resume=folder) == 0
    done = only_run(client, data)
    assert done.info.run_id == stopped.info.run_id
    assert shown(tracking_folder, done) == done.info.status == "FINISHED"
    assert TAG_RESUME not in done.data.tags
    history = client.get_metric_history(done.info.run_id, "train/loss")
    assert [metric.step for metric in history] == list(range(EPOCHS))
    assert client.list_artifacts(done.info.run_id, "checkpoints")
    config = client.download_artifacts(done.info.run_id, "config.yaml", str(tmp_path))
    assert parse(Train, ["--config", config]) == Train(**(own | {"data": str(data)}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_row_43_all_signals_are_requests_to_stop(number: signal.Signals) -> None:
    others: list[int] = []

    def note(received: int, _: object) -> None:
        others.append(received)

    before = signal.signal(number, note)
    try:
        with stop_signals() as stop:
            os.kill(os.getpid(), number)
            assert stop.name == number.name
        assert signal.getsignal(number) is note
        assert not others
    finally:
        signal.signal(number, before)


def test_row_43_a_second_ctrl_c_does_not_wait() -> None:
    with stop_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
