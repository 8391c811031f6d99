"""Inputs that the rows of the scorecard share, and commands as a user types them."""

import importlib
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from latentlaw.data.ingest import ingest
from latentlaw.data.mrc import write_mrc
from latentlaw.tracking.runs import configure_tracking
from numpy.typing import NDArray

from pipelines._entry import command
from pipelines._mlproject import entry_class

Volume = NDArray[np.float32]


@pytest.fixture
def volume() -> Volume:
    """Return a volume `(z, y, x)` of noise that spans several ragged shards."""
    return np.random.default_rng(0).normal(size=(33, 37, 41)).astype(np.float32)


@pytest.fixture
def mrc(tmp_path: Path, volume: Volume) -> Path:
    """Return the volume as an MRC file of 10 angstrom a voxel."""
    write_mrc(tmp_path / "tomo.mrc", volume, 10.0)
    return tmp_path / "tomo.mrc"


@pytest.fixture
def store(tmp_path: Path, mrc: Path) -> Path:
    """Return the volume as a tomogram store of chunks of 8 and shards of 16 voxels."""
    report = ingest(mrc, tmp_path / "stores", chunk=8, shard=16, scheduler="threads")
    return report.stores[0]


@pytest.fixture
def patch_header() -> Callable[..., None]:
    """Return a function that sets fields of an MRC header."""

    def patch(path: Path, **fields: object) -> None:
        with mrcfile.open(path, "r+", permissive=True) as file:
            for name, value in fields.items():
                file.header[name] = value

    return patch


@pytest.fixture(scope="session")
def tracking_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one MLflow store, since making one takes seconds."""
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture
def entry(tracking_store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs an entry point as its command does, and gives the exit code."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracking_store}/mlflow.db")
    monkeypatch.chdir(tracking_store)

    def run(name: str, **parameters: object) -> int:
        configure_tracking()
        arguments = [
            part for key, value in parameters.items() for part in (f"--{key}", str(value))
        ]
        module = importlib.import_module(f"pipelines.{name}")
        with pytest.raises(SystemExit) as stop:
            command(entry_class(name), module.run, arguments)
        return int(stop.value.code or 0)

    return run
