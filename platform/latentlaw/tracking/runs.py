"""Runs: one a pipeline stage, joined to the run that `mlflow run` made, or nested in a parent."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow
import numpy as np
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Metric, Run
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray

from latentlaw.errors import PreemptedError, PrunedError, RegistryError, ResumeError
from latentlaw.tracking.names import (
    DEFAULT_TRACKING_URI,
    EXPERIMENT,
    TAG_DATA_DIGEST,
    TAG_MODEL_FAMILY,
    TAG_SOURCE_NOTES,
    TAG_STAGE,
)

_PARAM_LIMIT = 6000  # MLflow cuts longer values
_TAG_LIMIT = 5000
_PARENT: ContextVar[str | None] = ContextVar("parent run", default=None)


def configure_tracking() -> None:
    """Point MLflow at `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`, or at the defaults."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI)
    if "MLFLOW_RUN_ID" not in os.environ:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT)


@contextmanager
def stage_run(
    stage: str, params: Mapping[str, Any], *, run_id: str | None = None
) -> Iterator[Run]:
    """Open the run of a stage: the one `mlflow run` made, a child of the active one, or a new one.

    The run ends FINISHED, or FAILED when the block raises; KILLED if it was told to stop, or may
    not go on as asked, since it can go on, or was pruned. (Then `mlflow run` makes it FAILED:
    MLflow 3.17 means to keep the status of a run that has ended, but compares its name with
    numbers.)

    Parameters
    ----------
    stage
        Entry point's name, kept as a tag.
    params
        Parameters to log; those that `mlflow run` logged itself are left as they are.
    run_id
        The run to go on with, if this store has it.
    """
    nested = mlflow.active_run() is not None
    known = run_id if run_id is not None and _exists(run_id) else None
    parent = None if nested else _PARENT.get()
    name = stage if known is None else None  # one that goes on has a name
    with mlflow.start_run(run_id=known, run_name=name, nested=nested, parent_run_id=parent) as run:
        if not nested and known is None:
            mlflow.set_tag("mlflow.runName", stage)
        mlflow.set_tag(TAG_STAGE, stage)
        fresh = {
            key: str(value)[:_PARAM_LIMIT]
            for key, value in params.items()
            if key not in run.data.params
        }
        mlflow.log_params(fresh)
        try:
            yield run
        except (PreemptedError, ResumeError, PrunedError):
            mlflow.end_run("KILLED")
            raise


@contextmanager
def children_of(run_id: str) -> Iterator[None]:
    """Make the runs that are opened in the block children of one that another process holds."""
    token = _PARENT.set(run_id)
    try:
        yield
    finally:
        _PARENT.reset(token)


def tag_run(
    *,
    family: str | None = None,
    data_digest: str | None = None,
    source_notes: Mapping[str, str] | None = None,
) -> None:
    """Tag the active run.

    Parameters
    ----------
    family
        Model family.
    data_digest
        Digest of the data it used.
    source_notes
        What was unusual about a source file but could be read, by the file's name.
    """
    if family:
        mlflow.set_tag(TAG_MODEL_FAMILY, family)
    if data_digest:
        mlflow.set_tag(TAG_DATA_DIGEST, data_digest)
    if source_notes:
        lines = [f"{name}: {note}" for name, note in source_notes.items()]
        mlflow.set_tag(TAG_SOURCE_NOTES, "\n".join(lines)[:_TAG_LIMIT])


def log_data(path: str, digest: str, table: pd.DataFrame, context: str) -> None:
    """Record a particle stack as the input of the active run."""
    dataset = from_pandas(
        table[["particle_id", "label", "group"]],
        source=path,
        name=Path(path).name,
        digest=digest[:36],
    )
    mlflow.log_input(dataset, context=context)
    tag_run(data_digest=digest)


class EpochLogger:
    """Writes the metrics of epochs to a run, each epoch once, at a small share of the time.

    Epochs wait until the last write has cost no more than that share, and at the latest for the
    end of the `with` block. A run that goes on from a checkpoint tells all its epochs
    again, to the same numbers; so those that a killed process had waiting are written then.
    """

    _SHARE = 0.0025
    _MOST_METRICS = 1000  # MLflow takes no more in one call

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._client = MlflowClient()
        before = self._client.get_metric_history(self._run_id, "train/loss")
        self._done = max((metric.step for metric in before), default=-1)
        self._waiting: list[Metric] = []
        self._due = 0.0

    def __enter__(self) -> "EpochLogger":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log `metrics` at step `epoch`, unless the run has that step."""
        if epoch <= self._done:
            return
        self._done = epoch
        now = int(pd.Timestamp.now().timestamp() * 1000)
        self._waiting += [Metric(k, float(v), now, epoch) for k, v in metrics.items()]
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        start = time.monotonic()
        while self._waiting:
            self._client.log_batch(self._run_id, metrics=self._waiting[: self._MOST_METRICS])
            del self._waiting[: self._MOST_METRICS]
        end = time.monotonic()
        self._due = end + (end - start) / self._SHARE


def local_artifacts(run: Run, name: str) -> Path | None:
    """Return the folder that is the artifact folder `name` of a run; None if it is remote."""
    uri = urlparse(run.info.artifact_uri)
    return Path(unquote(uri.path)) / name if uri.scheme in ("", "file") else None


def log_metrics(metrics: Mapping[str, float | None]) -> None:
    """Log the metrics that are defined."""
    mlflow.log_metrics({k: float(v) for k, v in metrics.items() if v is not None})


def log_json(name: str, content: Any) -> None:
    """Log `content` as a JSON artifact."""
    mlflow.log_text(json_text(content), name)


def json_text(content: Any) -> str:
    """Write `content` as JSON; NaN, which JSON lacks, becomes null."""
    return json.dumps(_without_nan(content), indent=1)


def log_table(name: str, table: pd.DataFrame) -> None:
    """Log a table as a Parquet artifact."""
    log_file(name, lambda path: table.to_parquet(path, index=False))


def log_file(name: str, write: Callable[[Path], object]) -> None:
    """Log as an artifact the file that `write` makes at the path it is given."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / name
        write(path)
        mlflow.log_artifact(str(path))


def log_image(name: str, image: NDArray[np.uint8]) -> None:
    """Log a grey image `(y, x)` as a PNG artifact."""
    mlflow.log_image(image, artifact_file=name)


def load_table(run_id: str, name: str) -> pd.DataFrame | None:
    """Read a Parquet artifact of a run, or None where it has none."""
    try:
        path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name)
    except (mlflow.exceptions.MlflowException, OSError):
        return None
    return pd.read_parquet(path)


def load_json(run_id: str, name: str) -> Any | None:
    """Read a JSON artifact of a run, or None where it has none."""
    try:
        return json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{name}"))
    except (mlflow.exceptions.MlflowException, OSError):
        return None


def source_run(model: str) -> str:
    """Return the id of the run that logged a model, given as run id, `runs:/…` or `models:/…`.

    Raises
    ------
    RegistryError
        If there is no such model or run.
    """
    try:
        if model.startswith("models:/"):
            return str(mlflow.models.get_model_info(model).run_id)
        run_id = model.removeprefix("runs:/").split("/")[0]
        return str(MlflowClient().get_run(run_id).info.run_id)
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"{model}: no such model or run ({error.message})") from error


def _exists(run_id: str) -> bool:
    try:
        MlflowClient().get_run(run_id)
    except mlflow.exceptions.MlflowException:
        return False
    return True


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
