"""Fixtures that every test may use."""

import importlib
import random
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import settings
from latentlaw.tracking.recording.runs import configure_tracking

from pipelines.cli.command import command
from pipelines.cli.mlproject import entry_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.tracking import MlflowClient

# The first example of a test pays for imports; time says nothing here.
settings.register_profile("latentlaw", deadline=None, derandomize=True)
settings.load_profile("latentlaw")


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Draw the same numbers whatever ran before, in this process or another."""
    random.seed(0)
    np.random.seed(0)  # libraries draw from the global generator
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real inputs, which is beside the repository and not in it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real inputs are not at {folder}; see docs for what they are")
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database without runs, since making its tables takes seconds."""
    import mlflow

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking_store(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> "Iterator[MlflowClient]":
    """Track into a store of the test's own, from a folder of its own."""
    import mlflow
    from latentlaw.tracking.store.experiments import choose_experiment

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with pointed_at(tmp_path, monkeypatch):
        choose_experiment(mlflow.get_tracking_uri())
        yield mlflow.MlflowClient()


@contextmanager
def pointed_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[None]":
    """Point MLflow, and this process, at the folder of a store."""
    import mlflow

    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    # MLflow keeps the experiment chosen there, and another store has not got it.
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    before = mlflow.get_tracking_uri()
    configure_tracking()
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def tracking_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one MLflow store, since making one takes seconds."""
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture
def entry(
    tracking_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> "Iterator[Callable[..., int]]":
    """Return a function that runs an entry point as its command does, and gives the exit code."""

    def run(name: str, /, **parameters: object) -> int:
        configure_tracking()
        arguments = [
            part for key, value in parameters.items() for part in (f"--{key}", str(value))
        ]
        module = importlib.import_module(f"pipelines.{name}")
        with pytest.raises(SystemExit) as stop:
            command(entry_class(name), module.run, arguments)
        return int(stop.value.code or 0)

    with pointed_at(tracking_folder, monkeypatch):
        yield run
