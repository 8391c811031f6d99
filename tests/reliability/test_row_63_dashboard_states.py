"""Row 63: no or 10,000 runs, half-logged, damaged artifacts, hostile text, a server that goes."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from latentlaw.tracking import names
from streamlit.testing.v1 import AppTest

from tests.dashboards.dashboard_store import Store, fill
from tests.dashboards.many_runs import many_runs
from tests.servers import MlflowServer

VIEWS = Path(__file__).resolve().parents[2] / "dashboards" / "views"
PAGES = sorted(path.stem for path in VIEWS.glob("[a-z]*.py"))
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> $\\frac{1}{0}$ [a](javascript:b)"
Open = Callable[..., AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a page on a store with parameters in the URL."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def open_it(view: str, uri: str, **query: str | list[str]) -> AppTest:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        st.cache_data.clear()
        st.cache_resource.clear()
        app = AppTest.from_file(str(VIEWS / f"{view}.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return open_it


def _texts(app: AppTest) -> str:
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "error", "warning")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def _assert_text_alone(app: AppTest) -> None:
    """Nothing that a run says is markup: no HTML is allowed, and Markdown's signs are escaped."""
    assert not app.exception, [e.value for e in app.exception]
    assert not any(element.allow_html for element in app.markdown)
    shown = _texts(app)
    assert "<script" not in shown.replace(r"\<script", "")
    assert "](javascript" not in shown
    assert "$\\frac" not in shown
    for kind in ("plotly_chart", "graphviz_chart"):
        for chart in app.get(kind):
            assert "<script" not in chart.proto.spec
    assert max(map(len, shown.splitlines()), default=0) < 5_000


@pytest.mark.parametrize("page", PAGES)
def test_no_runs(page: str, tmp_path: Path, open_page: Open) -> None:
    app = open_page(page, Store(tmp_path).uri)
    assert not app.exception
    assert page == "help" or app.info, "says what to do"


def test_ten_thousand_runs(tmp_path_factory: pytest.TempPathFactory, open_page: Open) -> None:
    uri = many_runs(tmp_path_factory.mktemp("many"), 10_000)
    app = open_page("runs", uri)
    assert not app.exception
    assert "Runs 1 to 50 of 10,000" in app.caption[0].value
    start = time.perf_counter()
    app.selectbox(key="stage").set_value("train").run()
    assert "of 1,250" in app.caption[0].value
    assert time.perf_counter() - start < 5, "a question is bounded, whatever the machine"
    for page in PAGES:
        assert not open_page(page, uri).exception


def test_a_half_logged_run(tmp_path: Path, open_page: Open) -> None:
    store = Store(tmp_path)
    empty = store.client.create_run(store.experiment).info.run_id
    store.client.set_tag(empty, "mlflow.runName", "")
    dead = store.add("train")
    store.client.set_tag(dead, names.TAG_PROCESS, f"{socket.gethostname()}:1:1.00")
    app = open_page("runs", store.uri, run=[empty, dead])
    assert not app.exception
    assert list(app.dataframe[0].value["Status"]) == ["Half-written", "Running"]
    said = [warning.value for warning in app.warning]
    assert "half-written" in said[0]
    assert "doctor" in said[1]
    assert "no parameters" in app.info[0].value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two chains whose names, tags, parameters and classes are hostile or very long."""
    store = fill(
        Store(tmp_path_factory.mktemp("hostile")), classes=(HOSTILE, "x" * 10_000, "plain")
    )
    for number, run in enumerate(store.client.search_runs([store.experiment])):
        run_id = run.info.run_id
        name = HOSTILE if number % 2 else "y" * 5_000
        store.client.set_tag(run_id, "mlflow.runName", name)
        store.client.update_run(run_id, name=name[:250])
        store.client.set_tag(run_id, names.TAG_MODEL_FAMILY, HOSTILE * 20)
        store.client.set_tag(run_id, names.TAG_DATA_DIGEST, HOSTILE)
        store.client.log_param(run_id, "tomograms", f'work/"{HOSTILE}"\\.ome.zarr')
    equation = {"expression": HOSTILE, "complexity": 1, "accuracy": 1, "latex": f"$$ {HOSTILE}"}
    store.put(store.ids["discover"], names.EQUATIONS, [{**equation, "class": HOSTILE}])
    return store


@pytest.mark.parametrize("page", PAGES)
def test_hostile_text(page: str, hostile: Store, open_page: Open) -> None:
    stage = {"runs": "train", "clusters": "evaluate"}.get(page, "discover")
    app = open_page(page, hostile.uri, run=[hostile.ids[stage]])
    _assert_text_alone(app)


@pytest.mark.parametrize("tab", ["Losses", "Lineage", "Steps and trials"])
def test_hostile_text_in_tabs(tab: str, hostile: Store, open_page: Open) -> None:
    runs = [hostile.ids["train"], hostile.ids["main"]]
    _assert_text_alone(open_page("runs", hostile.uri, run=runs, show=tab))


@pytest.mark.parametrize("key", ["q", "data", "tag", "metric", "run", "page", "stage", "sort"])
def test_hostile_text_in_the_url(key: str, hostile: Store, open_page: Open) -> None:
    for value in (HOSTILE, "x" * 10_000, "' OR '1'='1", "\x00", "-1"):
        _assert_text_alone(open_page("runs", hostile.uri, **{key: value}))


DAMAGED = {
    "clusters": ("evaluate", names.EMBEDDINGS),
    "frontier": ("discover", names.FRONTIER),
    "equations": ("discover", names.EQUATIONS),
    "tuning": ("tune", names.OBJECTIVES),
}


@pytest.mark.parametrize("page", DAMAGED)
def test_a_damaged_artifact_is_named(page: str, tmp_path: Path, open_page: Open) -> None:
    store = Store(tmp_path)
    stage, name = DAMAGED[page]
    run = store.add(stage)
    store.put(run, name, b"\x80 neither JSON nor Parquet")
    app = open_page(page, store.uri, run=[run])
    assert not app.exception
    assert any(name.split(".")[0] in error.value for error in app.error)


def test_a_tracking_server_that_goes_away_and_returns(tmp_path: Path, open_page: Open) -> None:
    store = Store(tmp_path)
    run = store.add("train")
    server = MlflowServer(store.uri, tmp_path)
    app = open_page("runs", server.uri)
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    assert "start the tracking server" in app.error[0].value
    server.start()
    try:
        app.button[0].click().run()  # Try again
        assert not app.exception
        assert not app.error
        assert list(app.dataframe[0].value["Run"]) == [run[:8]]
    finally:
        server.kill()
    st.cache_data.clear()  # as after ten seconds
    app.run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value
