"""Tracking stores for the dashboard's tests: one full, one empty."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards import screenshot
from tests.dashboards.dashboard_store import Store, fill
from tests.dashboards.watched import watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIEWS = Path(__file__).resolve().parents[2] / "dashboards" / "views"

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


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return a function that opens a page on a store, with runs picked in the URL."""

    def open_it(page: str, uri: str, *runs: str, **query: str) -> AppTest:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        st.cache_data.clear()
        st.cache_resource.clear()
        app = AppTest.from_file(str(VIEWS / f"{page}.py"), default_timeout=30)
        if runs:
            app.query_params["run"] = list(runs)
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return open_it


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """Hold a headless browser."""
    pytest.importorskip("playwright")
    with screenshot.browser() as started:
        yield started


@pytest.fixture
def page(chromium: "Browser") -> "Iterator[Page]":
    """Open a page; afterwards its console must hold no error, and nobody else have been asked."""
    with watched_page(chromium) as opened:
        yield opened
