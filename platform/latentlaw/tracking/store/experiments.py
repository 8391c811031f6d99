"""An SQLite store is made, and its experiment chosen, by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow

from latentlaw.errors import TrackingError
from latentlaw.tracking.names import EXPERIMENT


def choose_experiment(tracking_uri: str, experiment_id: str | None = None) -> None:
    """Choose `MLFLOW_EXPERIMENT_NAME` or the default, unless `mlflow run` has made the run.

    MLflow makes the tables of a new SQLite file, and an experiment, without a lock: of processes
    that start together all but one would fail, or log to another experiment.

    Parameters
    ----------
    tracking_uri
        Store of runs; only an SQLite file is locked meanwhile.
    experiment_id
        Of a run to go on with, which MLflow opens from its own experiment only.

    Raises
    ------
    TrackingError
        If the file's folder cannot be written to.
    """
    with _alone(tracking_uri):
        if experiment_id is not None:
            mlflow.set_experiment(experiment_id=experiment_id)
        elif "MLFLOW_RUN_ID" not in os.environ:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
            # By name it may only find what another process has just made, and not choose it.
            found = mlflow.set_experiment(name)
            mlflow.set_experiment(experiment_id=found.experiment_id)


@contextmanager
def _alone(tracking_uri: str) -> Iterator[None]:
    file = tracking_uri.split("?")[0].removeprefix("sqlite:///")
    if file == tracking_uri.split("?")[0]:
        yield  # a server, which does that once
        return
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("w")
    except OSError as error:
        raise TrackingError(
            f"tracking: runs cannot be kept in {path.absolute()} ({error.strerror}); set "
            "MLFLOW_TRACKING_URI to where they can, as sqlite:////home/me/mlflow.db"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
