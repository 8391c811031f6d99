"""Metrics of epochs, which reach the tracking server in the background of a training."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from latentlaw.errors import TrackingError
from latentlaw.tracking.recording.spool import MOST_METRICS, Spool, is_final, send_new
from latentlaw.tracking.say import say
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tracking.store.failures import UNREACHABLE, reason_of
from latentlaw.tracking.store.limits import encode_value, fitting_key
from latentlaw.tracking.store.server import server_answers


class EpochLogger:
    """Writes the metrics of epochs to a run, each epoch once and in order; a call never waits.

    A call writes to a file of its own (`Spool`); a thread sends what is there, at a small share
    of a core, and tries again for as long as the server does not answer. At the end of the
    `with` block the rest is sent. What still waits after a minute stays in the file, which the
    next command sends.

    A run that goes on from a checkpoint tells all its epochs again, to the same numbers; the
    steps that it has are left out.

    Parameters
    ----------
    run_id
        The run.

    Raises
    ------
    TrackingError
        At the end of the block, if the server has not taken all; not where the block raises.
    """

    _SHARE = 0.0025
    _SENDER_WAIT_S = 90.0  # longer than another process takes to send what was left
    _FIRST_WAIT_S, _MOST_WAIT_S = 0.5, 5.0
    _FLUSH_S, _HURRIED_FLUSH_S = 60.0, 5.0

    def __init__(self, run_id: str) -> None:
        self._uri = mlflow.get_tracking_uri()
        self._client = MlflowClient(self._uri)
        self._spool = Spool(run_id, self._uri, wait_s=self._SENDER_WAIT_S)
        before = self._client.get_metric_history(run_id, "train/loss") + self._spool.left
        self._done = max((m.step for m in before if m.key == "train/loss"), default=-1)
        self._waiting = self._spool.left
        self._unsure = bool(self._waiting)  # a killed process may have sent some of them
        self._refusal = ""
        self._unkept = False
        self._changed = threading.Condition()
        self._closing, self._given_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="metrics", daemon=True)

    def __enter__(self) -> "EpochLogger":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._thread.join(self._FLUSH_S if kind is None else self._HURRIED_FLUSH_S)
        with self._changed:
            self._given_up.set()
            left = len(self._waiting)
            self._spool.close()
        if left:
            message = (
                f"tracking: {without_secrets(self._uri)} "
                f"{self._refusal or 'does not answer'}; {left} metrics of run "
                f"{self._spool.run_id} are kept in {self._spool.path}, and the next command that "
                "reaches the server sends them"
                + ("; the last of them are lost, since the disk was full" if self._unkept else "")
            )
            if kind is None:
                raise TrackingError(message)
            say(message)

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log `metrics` at step `epoch`, unless the run has that step."""
        if epoch <= self._done:
            return
        self._done = epoch
        now = int(time.time() * 1000)
        told = [Metric(fitting_key(k), encode_value(v), now, epoch) for k, v in metrics.items()]
        with self._changed:
            self._keep(told)
            self._waiting += told
            self._changed.notify()

    def _keep(self, told: list[Metric]) -> None:
        """Write ahead; a full disk costs the copy, not the training."""
        if self._unkept:
            return
        try:
            self._spool.append(told)
        except OSError as error:
            self._unkept = True
            say(f"{self._spool.path}: {error.strerror}; metrics wait in memory alone")

    def _send_all(self) -> None:
        """Send what waits until told to stop; the only one who takes from the list."""
        wait_s = self._FIRST_WAIT_S
        while not self._given_up.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
                batch = self._waiting[:MOST_METRICS]
            if not batch:
                return
            start = time.thread_time()
            try:
                self._send(batch)
            except UNREACHABLE as error:
                if is_final(error):
                    self._refusal = f"refuses them ({reason_of(error)})"
                    return
                self._unsure = True
                self._given_up.wait(wait_s)
                wait_s = min(2 * wait_s, self._MOST_WAIT_S)
                continue
            wait_s = self._FIRST_WAIT_S
            with self._changed:
                if self._given_up.is_set():
                    return
                del self._waiting[: len(batch)]
                if not self._waiting:
                    self._spool.clear()
            self._closing.wait((time.thread_time() - start) / self._SHARE)

    def _send(self, batch: list[Metric]) -> None:
        if not server_answers(self._uri):
            if not self._unsure:
                say(
                    f"{without_secrets(self._uri)} does not answer; training goes on, metrics "
                    f"wait in {self._spool.path}"
                )
            raise ConnectionError
        if self._unsure:
            send_new(self._client, self._spool.run_id, batch)
            self._unsure = False
        else:
            self._client.log_batch(self._spool.run_id, metrics=batch)
