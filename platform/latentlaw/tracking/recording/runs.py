"""Runs: one a pipeline stage, joined to the run that `mlflow run` made, or nested in a parent."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow
import numpy as np
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray

from latentlaw.errors import PreemptedError, PrunedError, ResumeError, TrackingError
from latentlaw.tracking.names import (
    DEFAULT_TRACKING_URI,
    PARAMS,
    TAG_DATA_DIGEST,
    TAG_MODEL_FAMILY,
    TAG_PROCESS,
    TAG_SOURCE_NOTES,
    TAG_STAGE,
    TAG_TRAINED_BY,
)
from latentlaw.tracking.recording.processes import this_process
from latentlaw.tracking.recording.spool import send_left
from latentlaw.tracking.say import say
from latentlaw.tracking.scrub import scrub, scrub_all
from latentlaw.tracking.store.experiments import choose_experiment
from latentlaw.tracking.store.failures import tracking_errors
from latentlaw.tracking.store.limits import encode_value, fitting_key, fitting_params
from latentlaw.tracking.store.server import check_server, hasty_requests, set_patience

_TAG_LIMIT = 5000
_PARENT: ContextVar[str | None] = ContextVar("parent run", default=None)


def configure_tracking(tracking_uri: str | None = None) -> None:
    """Point MLflow at a store; nothing is asked of it yet.

    Without one, it is that of `MLFLOW_TRACKING_URI`, or the default.
    """
    set_patience()
    asked = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(asked or DEFAULT_TRACKING_URI)


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

    Raises
    ------
    TrackingError
        At once, if no server answers; else where MLflow gives up.
    """
    uri = mlflow.get_tracking_uri()
    nested = mlflow.active_run() is not None
    if not nested:
        check_server(uri)
    with tracking_errors(uri):
        if not nested:
            choose_experiment(uri)
            send_left(uri)
        found = None if run_id is None else _found(run_id)
        if found is not None and not nested:
            choose_experiment(uri, found.info.experiment_id)
        known = None if found is None else found.info.run_id
        parent = None if nested else _PARENT.get()
        name = stage if known is None else None  # one that goes on has a name
        with mlflow.start_run(
            run_id=known, run_name=name, nested=nested, parent_run_id=parent
        ) as run:
            tags = {TAG_STAGE: stage, TAG_PROCESS: this_process()}
            if not nested and known is None:
                tags["mlflow.runName"] = stage
            if source := run.data.tags.get("mlflow.source.name"):
                tags["mlflow.source.name"] = scrub(source)
            mlflow.set_tags(tags)
            _log_params({key: scrub(str(v)) for key, v in params.items()}, run.data.params)
            try:
                yield run
            except (PreemptedError, ResumeError, PrunedError, KeyboardInterrupt):
                _end_hastily("KILLED")
                raise
            except (TrackingError, MlflowException):
                _end_hastily("FAILED")
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
    trained_by: str | None = None,
    source_notes: Mapping[str, str] | None = None,
) -> None:
    """Tag the active run.

    Parameters
    ----------
    family
        Model family.
    data_digest
        Digest of the data it used.
    trained_by
        Run that trained the network of the run's model, if another did.
    source_notes
        What was unusual about a source file but could be read, by the file's name.
    """
    if family:
        mlflow.set_tag(TAG_MODEL_FAMILY, family)
    if data_digest:
        mlflow.set_tag(TAG_DATA_DIGEST, data_digest)
    if trained_by:
        mlflow.set_tag(TAG_TRAINED_BY, trained_by)
    if source_notes:
        lines = [f"{name}: {note}" for name, note in source_notes.items()]
        mlflow.set_tag(TAG_SOURCE_NOTES, scrub("\n".join(lines))[:_TAG_LIMIT])


def log_data(path: str, digest: str, table: pd.DataFrame, context: str) -> None:
    """Record a particle stack as the input of the active run."""
    dataset = from_pandas(
        table[["particle_id", "label", "group"]],
        source=scrub(path),
        name=Path(path).name,
        digest=digest[:36],
    )
    mlflow.log_input(dataset, context=context)
    tag_run(data_digest=digest)


def local_artifacts(run: Run, name: str) -> Path | None:
    """Return the folder that is the artifact folder `name` of a run; None if it is remote."""
    uri = urlparse(run.info.artifact_uri)
    return Path(unquote(uri.path)) / name if uri.scheme in ("", "file") else None


def log_metrics(metrics: Mapping[str, float | None]) -> None:
    """Log the metrics that are defined."""
    mlflow.log_metrics(
        {fitting_key(k): encode_value(v) for k, v in metrics.items() if v is not None}
    )


def log_json(name: str, content: Any) -> None:
    """Log `content` as a JSON artifact."""
    mlflow.log_text(json_text(content), name)


def json_text(content: Any) -> str:
    """Write `content` as JSON; NaN, which JSON lacks, becomes null."""
    return json.dumps(scrub_all(_without_nan(content)), indent=1)


def log_yaml(name: str, content: Mapping[str, Any]) -> None:
    """Log parameters as a YAML artifact, from which an entry takes them by `--config`."""
    mlflow.log_dict(scrub_all(content), name)


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


def _log_params(params: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Log parameters; those that MLflow cannot hold are whole in an artifact."""
    fitting, others = fitting_params(params, PARAMS)
    if fresh := {key: value for key, value in fitting.items() if key not in known}:
        mlflow.log_params(fresh)
    if others:
        log_yaml(PARAMS, others)
        say(f"{', '.join(others)}: longer or named as MLflow cannot; whole in {PARAMS} of the run")


def _end_hastily(status: str) -> None:
    """End the active run if the server takes it at once; what went wrong is told elsewhere."""
    with hasty_requests(), suppress(MlflowException):
        mlflow.end_run(status)


def _found(run_id: str) -> Run | None:
    try:
        return MlflowClient().get_run(run_id)
    except MlflowException:
        return None


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
