"""Fixtures that every test may use."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.tracking import MlflowClient

# The first example of a test pays for imports; time says nothing here.
settings.register_profile("latentlaw", deadline=None, derandomize=True)
settings.load_profile("latentlaw")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real inputs, which is beside the repository and not in it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real inputs are not at {folder}; see docs for what they are")
    return folder


@pytest.fixture
def tracking_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[MlflowClient]":
    """Track into a store of the test's own, from a folder of its own."""
    import mlflow
    from latentlaw.tracking.runs import configure_tracking

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    before = mlflow.get_tracking_uri()
    configure_tracking()
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)
