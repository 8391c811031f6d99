"""A tracking server that is down or stands still costs a training no step and no metric."""

import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from latentlaw.tracking.store.server import server_answers
from mlflow.tracking import MlflowClient

from tests.servers import MlflowServer, free_port

EPOCHS = 15
MEASURED = {"train/loss", "val/loss", "throughput/images_per_s"}
LAST = f"{2 * EPOCHS:08d}"  # steps: 40 particles less those to validate and test on, in 32s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    server = MlflowServer(f"sqlite:///{folder}/mlflow.db", folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def train(
    tmp_path: Path,
    stack: Path,
    server: MlflowServer,
    entry: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    """Return a function that trains against the server, in a folder of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.chdir(tmp_path)
    own = {"data": stack, "model": "beta-vae", "epochs": EPOCHS, "channels": 2, "device": "cpu"}
    return lambda **more: entry("train", **own, checkpoint_every=0, **more)


def when(kept: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act once a training has kept what `kept` asks for."""

    def watch() -> None:
        end = time.monotonic() + 60
        while not kept():
            assert time.monotonic() < end, "the training does not get there"
            time.sleep(0.002)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def assert_each_epoch_once(server: MlflowServer, run_id: str) -> None:
    client = MlflowClient(server.uri)
    metrics = client.get_run(run_id).data.metrics
    assert metrics.keys() >= MEASURED
    for name in metrics:
        if name.startswith(("train/", "val/")) and name != "train/best_epoch":
            history = client.get_metric_history(run_id, name)
            assert [metric.step for metric in history] == list(range(EPOCHS)), name
            assert [m.timestamp for m in history] == sorted(m.timestamp for m in history)


def newest_run(server: MlflowServer) -> str:
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("latentlaw")
    return str(client.search_runs([experiment.experiment_id])[0].info.run_id)


def some(folder: Path) -> Callable[[], bool]:
    return lambda: any(folder.glob("0000001[0-9]"))


def done(folder: Path) -> Callable[[], bool]:
    return lambda: (
        bool(list(folder.glob("[0-9]*")))
        and max(int(path.name) for path in folder.glob("[0-9]*")) >= int(LAST)
    )


def test_row_46_server_stands_still(
    tmp_path: Path, server: MlflowServer, train: Callable[..., int]
) -> None:
    kept = tmp_path / "kept"
    when(some(kept), lambda: server.send(signal.SIGSTOP))
    # It comes back only when the last step is done: a step that waited would wait for ever.
    went_on = when(done(kept), lambda: server.send(signal.SIGCONT))
    assert train(checkpoints=kept) == 0
    assert not went_on.is_alive()
    assert_each_epoch_once(server, newest_run(server))
    assert not list((tmp_path / "unsent_metrics").iterdir())


class FailingProxy(ThreadingHTTPServer):
    """Passes requests on to a server, but answers the first metrics of epochs with 500."""

    def __init__(self, port: int, failures: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.port, self.failures = port, failures
        self.uri = f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(BaseHTTPRequestHandler):
    server: FailingProxy

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"train/loss" in body and self.server.failures:
            self.server.failures -= 1
            self.send_error(500)
            return
        passed_on = http.client.HTTPConnection("127.0.0.1", self.server.port)
        passed_on.request(self.command, self.path, body, dict(self.headers))
        reply = passed_on.getresponse()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.getheader("Content-Type", "text/plain"))
        self.end_headers()
        self.wfile.write(reply.read())
        passed_on.close()

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_row_46_server_that_fails(
    server: MlflowServer, tracking_store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # MLflow itself does not insist
    with FailingProxy(server.port, failures=3) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
        configure_tracking()
        with stage_run("train", {}) as run, EpochLogger(run.info.run_id) as log:
            for epoch in range(EPOCHS):
                log(epoch, dict.fromkeys(MEASURED, float(epoch)))
        proxy.shutdown()
    assert proxy.failures == 0
    assert_each_epoch_once(server, run.info.run_id)


def test_row_46_server_is_killed_and_started_again(
    tmp_path: Path, server: MlflowServer, train: Callable[..., int]
) -> None:
    kept = tmp_path / "kept"
    when(some(kept), server.kill)
    when(done(kept), server.start)
    assert train(checkpoints=kept) == 0
    assert_each_epoch_once(server, newest_run(server))


def test_row_46_server_stays_down_and_the_next_command_sends_what_waited(
    tmp_path: Path,
    server: MlflowServer,
    train: Callable[..., int],
    capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EpochLogger, "_FLUSH_S", 1.0)
    kept = tmp_path / "kept"
    when(some(kept), server.kill)
    assert train(checkpoints=kept) == 2
    told = capfd.readouterr().err
    (left,) = (tmp_path / "unsent_metrics").iterdir()
    assert f"are kept in unsent_metrics/{left.name}, and the next command" in told
    assert "Traceback" not in told
    server.start()
    run_id = left.stem
    before = MlflowClient(server.uri).get_metric_history(run_id, "train/loss")
    assert len(before) < EPOCHS
    assert train(resume=kept) == 0
    assert f"metrics of unsent_metrics/{left.name}" in capfd.readouterr().err
    assert not left.exists()
    assert_each_epoch_once(server, run_id)
    assert MlflowClient(server.uri).get_run(run_id).info.status == "FINISHED"


def test_row_46_no_server_at_the_start(
    train: Callable[..., int], capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://user:secret@127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    start = time.monotonic()
    assert train() == 2
    assert time.monotonic() - start < 10
    told = capfd.readouterr().err
    assert told.startswith("latentlaw: error: tracking: no MLflow server answers at http://127")
    assert told.count("\n") == 1
    assert "secret" not in told


def test_servers_that_fail_do_not_answer(server: MlflowServer) -> None:
    assert server_answers(server.uri)
    assert server_answers("sqlite:///mlflow.db")
    assert not server_answers("http://127.0.0.1:1")
