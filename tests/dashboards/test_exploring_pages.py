"""Walking a latent space and looking at particles, in Streamlit's test harness."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.tracking import names
from streamlit.testing.v1 import AppTest

from tests.bundles import tiny_bundle
from tests.dashboards.dashboard_store import CLASSES, EACH, STACK, Store, write_stack

Open = Callable[..., AppTest]


def texts(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "error")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


@pytest.fixture
def walk_store(empty_store: Store) -> tuple[Store, str]:
    """Hold a run of discover with a model of two latents or more and its equations."""
    bundle = tiny_bundle()
    assert bundle.equations is not None
    run = empty_store.add("discover", model_family="affinity-vae")
    record = bundle.equations.to_dict()
    rows = zip(record["class_names"], record["expressions"], record["latex"], strict=True)
    laws = [
        {"class": c, "expression": e, "latex": tex, "complexity": 3, "accuracy": 0.9}
        for c, e, tex in rows
    ]
    empty_store.put(run, names.EQUATIONS, laws)
    empty_store.put_bundle(run, bundle)
    return empty_store, run


def test_a_slider_moves_image_and_probabilities_together(
    walk_store: tuple[Store, str], open_page: Open
) -> None:
    store, run = walk_store
    app = open_page("equations", store.uri, run, walk="true")
    assert not app.exception
    charts = app.get("plotly_chart")
    assert len(charts) == 2  # probabilities and boundary
    before = charts[0].proto.spec
    slider = app.slider(key="z0")
    slider.set_value(slider.max).run()
    assert not app.exception
    after = app.get("plotly_chart")[0].proto.spec
    assert after != before
    next(b for b in app.button if "mean" in b.label).click().run()
    assert app.slider(key="z0").value == pytest.approx(slider.min / 2 + slider.max / 2)
    assert app.get("plotly_chart")[0].proto.spec == before


def test_the_url_says_where_the_walk_is(walk_store: tuple[Store, str], open_page: Open) -> None:
    store, run = walk_store
    value = float(tiny_bundle().head.mean[1])
    app = open_page("equations", store.uri, run, walk="true", z1=str(value), bx="z1", by="z0")
    assert not app.exception
    assert app.selectbox(key="bx").value == "z1"
    app.selectbox(key="by").set_value("z1").run()
    assert "two different latents" in texts(app)


def test_a_run_without_a_model_says_so(empty_store: Store, open_page: Open) -> None:
    run = empty_store.add("discover")
    law = {"class": "a", "expression": "z0", "latex": "z_{0}", "complexity": 1, "accuracy": 1}
    empty_store.put(run, names.EQUATIONS, [law])
    app = open_page("equations", empty_store.uri, run, walk="true")
    assert not app.exception
    assert "no logged model" in texts(app)


@pytest.fixture
def tomogram_store(empty_store: Store) -> Store:
    """Hold a run of extract: a tomogram, and a stack of particles of it."""
    folder = empty_store.folder / "work"
    folder.mkdir()
    volume = np.random.default_rng(0).normal(size=(32, 100, 100)).astype(np.float32)
    write_mrc(folder / "t0.mrc", volume, 10.0)
    ingest_tomograms(folder / "t0.mrc", folder, scheduler="threads")
    write_stack(empty_store.folder / STACK, CLASSES)
    run = empty_store.add("extract")
    empty_store.log(run, params={"tomograms": "work", "out": STACK}, metrics={})
    return empty_store


def test_a_tomogram_is_shown_with_its_picks(tomogram_store: Store, open_page: Open) -> None:
    app = open_page("particles", tomogram_store.uri)
    assert not app.exception, app.exception
    assert app.selectbox(key="source").value == "work"
    assert app.selectbox(key="tomogram").value == "t0"
    assert app.selectbox(key="picks").value == STACK
    spec = app.get("plotly_chart")[0].proto.spec
    assert '"x (\\u00c5)"' in spec or '"x (Å)"' in spec
    assert "p0000" in spec
    assert f"({EACH})" in "".join(str(h.proto.body) for h in app.get("html"))
    app.slider(key="z").set_value(0.0).run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.spec != spec


def test_a_particle_of_a_stack_is_shown(tomogram_store: Store, open_page: Open) -> None:
    app = open_page("particles", tomogram_store.uri, source=STACK, row="61")
    assert not app.exception
    assert "p0000061" in texts(app)
    assert len(app.get("plotly_chart")) == 1


def test_what_is_no_store_is_refused_in_words(
    tomogram_store: Store, open_page: Open, tmp_path: Path
) -> None:
    (tmp_path / "bad.particles.zarr").mkdir()
    for path, message in (
        (str(tmp_path / "none"), "no tomogram store"),
        (str(tmp_path / "bad.particles.zarr"), "not a particle stack"),
        ("/etc/passwd", "no tomogram store"),
        ("<b>x</b>.ome.zarr", "not a complete tomogram store"),
    ):
        app = open_page("particles", tomogram_store.uri, source=path)
        assert not app.exception
        assert message in texts(app)
        assert "<b>" not in texts(app).replace(r"\<b", "")
        assert not app.get("plotly_chart")


def test_without_runs_the_page_asks_for_a_path(empty_store: Store, open_page: Open) -> None:
    app = open_page("particles", empty_store.uri)
    assert not app.exception
    assert "mlflow run . -e ingest" in app.info[0].value
