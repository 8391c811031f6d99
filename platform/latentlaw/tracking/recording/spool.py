"""Metrics on disk until the tracking server has them: written ahead, sent in order, once each."""

import errno
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from latentlaw.data.storage.locks import acquire
from latentlaw.errors import ConfigError
from latentlaw.tracking.names import SPOOL_FOLDER, SPOOL_VARIABLE
from latentlaw.tracking.say import say
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tracking.store.failures import UNREACHABLE, reason_of

_RETRY_S = 0.2
MOST_METRICS = 1000  # MLflow takes no more in one call
_FINAL = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"}


class Spool:
    """The file of a run's metrics that the server at `tracking_uri` may not have yet.

    One line per metric, after one that names the server. It is locked while it is open, and there
    only while it holds something.

    Parameters
    ----------
    run_id
        The run whose metrics are kept.
    tracking_uri
        Its server, named in the file without secrets.
    wait_s
        How long to wait for another process that has it open, such as one that sends what an
        earlier one left.

    Raises
    ------
    ConfigError
        If the file cannot be written or is open elsewhere.
    """

    def __init__(self, run_id: str, tracking_uri: str, *, wait_s: float = 0.0) -> None:
        self.run_id = run_id
        self.path = spool_folder() / f"{run_id}.jsonl"
        self._server = without_secrets(tracking_uri)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = acquire(self.path)
            deadline = time.monotonic() + wait_s
            while descriptor is None and time.monotonic() < deadline:
                time.sleep(_RETRY_S)
                descriptor = acquire(self.path)
        except OSError as error:
            raise ConfigError(
                f"{self.path}: metrics cannot be kept here until the tracking server has them "
                f"({error.strerror}); set {SPOOL_VARIABLE} to a folder that can be written to"
            ) from error
        if descriptor is None:
            raise ConfigError(
                f"{self.path}: another process writes the metrics of run {run_id}; wait for it"
            )
        self._file = os.fdopen(descriptor, "rb+", buffering=0)
        # A last line that was cut off is no metric.
        lines = [line for line in self._file.readlines() if line.endswith(b"\n")]
        #: Server that the metrics are for; None of a file that holds none.
        self.server: str | None = json.loads(lines[0])["server"] if lines else None
        #: What an earlier process left, in order.
        self.left = [Metric(**json.loads(line)) for line in lines[1:]]

    def append(self, metrics: Sequence[Metric]) -> None:
        """Add metrics behind those that are there.

        Raises
        ------
        OSError
            If the disk does not take them all; then it has none of them.
        """
        size = self._file.seek(0, os.SEEK_END)
        lines = [] if size else [json.dumps({"server": self._server})]
        lines += [json.dumps(dict(metric)) for metric in metrics]
        content = "".join(f"{line}\n" for line in lines).encode()
        try:
            written = self._file.write(content)
        except OSError:
            self._file.truncate(size)
            raise
        if written != len(content):
            self._file.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def clear(self) -> None:
        """Forget all metrics: the server has them."""
        self._file.truncate(0)

    def close(self) -> None:
        """Close the file, and remove it if it is empty."""
        if os.fstat(self._file.fileno()).st_size == 0:
            self.path.unlink(missing_ok=True)
        self._file.close()


def spool_folder() -> Path:
    """Return where metrics wait: `LATENTLAW_SPOOL`, or a folder of the working directory."""
    return Path(os.environ.get(SPOOL_VARIABLE) or SPOOL_FOLDER)


def send_new(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    """Send those metrics that the run lacks, by key and step; the others were sent before."""
    by_key: dict[str, set[int]] = defaultdict(set)
    for key in {metric.key for metric in metrics}:
        by_key[key] = {point.step for point in client.get_metric_history(run_id, key)}
    new = [metric for metric in metrics if metric.step not in by_key[metric.key]]
    for first in range(0, len(new), MOST_METRICS):
        client.log_batch(run_id, metrics=new[first : first + MOST_METRICS])


def send_left(tracking_uri: str) -> None:
    """Send what earlier commands could not, and say so; what still cannot be sent stays.

    Files of runs in progress and of other servers are left alone.
    """
    for path in sorted(spool_folder().glob("*.jsonl")):
        try:
            spool = Spool(path.stem, tracking_uri)
        except ConfigError:
            continue
        try:
            if spool.server == without_secrets(tracking_uri) and spool.left:
                send_new(MlflowClient(tracking_uri), spool.run_id, spool.left)
                say(f"sent the {len(spool.left)} metrics of {path}")
            if spool.server in (None, without_secrets(tracking_uri)):
                spool.clear()
        except UNREACHABLE as error:
            remedy = "; remove the file if its run is gone" if is_final(error) else ""
            say(f"{path} stays: its metrics cannot be sent ({reason_of(error)}){remedy}")
        finally:
            spool.close()


def is_final(error: Exception) -> bool:
    """Tell whether a store refuses what it was sent, so that sending again is of no use."""
    return isinstance(error, MlflowException) and error.error_code in _FINAL
