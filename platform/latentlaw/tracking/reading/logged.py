"""What runs logged, for stages after them: absent is None, and what cannot be read an error."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from latentlaw.errors import DataError, RegistryError
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tracking.store.failures import reading, reason_of

T = TypeVar("T")


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Give a copy of an artifact that is gone after the block: MLflow would leave it in `/tmp`.

    Raises
    ------
    mlflow.exceptions.MlflowException, OSError
        If there is no such artifact, or its store cannot be reached.
    """
    with TemporaryDirectory() as scratch:
        yield Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch))


def load_table(run_id: str, name: str) -> pd.DataFrame | None:
    """Read a Parquet artifact of a run, or None where it has none.

    Raises
    ------
    DataError
        If it is damaged, or the store of runs cannot be read.
    """
    return _loaded(run_id, name, pd.read_parquet)


def load_json(run_id: str, name: str) -> Any | None:
    """Read a JSON artifact of a run, or None where it has none.

    Raises
    ------
    DataError
        If it is damaged, or the store of runs cannot be read.
    """
    return _loaded(run_id, name, lambda path: json.loads(path.read_text(encoding="utf-8")))


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
    except MlflowException as error:
        store = without_secrets(mlflow.get_tracking_uri())
        raise RegistryError(
            f"{model}: found no such model or run in {store} ({error.message}); give the id of a "
            "run that the dashboard shows, or set MLFLOW_TRACKING_URI to where it is"
        ) from error


def _loaded(run_id: str, name: str, read: Callable[[Path], T]) -> T | None:
    folder = str(PurePosixPath(name).parent).removeprefix(".")
    with reading(mlflow.get_tracking_uri()):
        listed = MlflowClient().list_artifacts(run_id, folder or None)
        if name not in {entry.path for entry in listed}:
            return None
        with fetched(f"runs:/{run_id}/{name}") as path:
            try:
                return read(path)
            except (ValueError, OSError) as error:
                raise DataError(
                    f"{name} of run {run_id}: cannot be read ({reason_of(error)}); put the "
                    "artifact back, or make the run again"
                ) from error
