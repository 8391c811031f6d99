"""Tracking stores for the dashboard's tests: one full, one empty."""

import logging
import os
from pathlib import Path

import pytest
from dashboard_store import Store, fill

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold two chains of runs; do not write to it."""
    return fill(Store(tmp_path_factory.mktemp("full")))


@pytest.fixture
def empty_store(tmp_path: Path) -> Store:
    """Hold an experiment without runs; write to it at will."""
    return Store(tmp_path)
