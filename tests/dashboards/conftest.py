"""Tracking stores for the dashboard's tests: one full, one empty."""

import logging
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # `dashboards` is a folder of the repository, not an installed package
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

from dashboard_store import Store, fill  # noqa: E402


@pytest.fixture(scope="session")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold two chains of runs; do not write to it."""
    return fill(Store(tmp_path_factory.mktemp("full")))


@pytest.fixture
def empty_store(tmp_path: Path) -> Store:
    """Hold an experiment without runs; write to it at will."""
    return Store(tmp_path)
