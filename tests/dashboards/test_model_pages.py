"""Models and Tuning: versions, cards, studies, and what of them is missing or hostile."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from latentlaw.errors import DataError
from latentlaw.tracking import names
from latentlaw.tracking.reading.models import list_models, list_versions
from latentlaw.tracking.reading.studies import Study, load_study
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboards.charts.tuning import history_chart, importance_chart, parallel_chart, pareto_set
from dashboards.panels.try_model import describe_shape, probability_bars
from dashboards.reading import live
from tests.dashboards.dashboard_store import Store
from tests.dashboards.registered import add_study, add_version

Open = Callable[..., AppTest]
HOSTILE = "<script>alert(1)</script> $x$ [a](b) ![p](http://198.51.100.1/p.png)"


def test_versions_come_newest_first_with_their_aliases(empty_store: Store) -> None:
    for _ in range(11):
        add_version(empty_store)
    empty_store.client.set_registered_model_alias("m", "champion", "2")
    found = list_versions(empty_store.uri, "m")
    assert [each.version for each in found] == [str(n) for n in range(11, 0, -1)]
    assert [each.version for each in found if each.aliases == ("champion",)] == ["2"]
    assert list_models(empty_store.uri) == ["m"]
    with pytest.raises(DataError, match="nothing"):
        list_versions(empty_store.uri, "nothing")


def test_a_card_is_shown_beside_what_the_gate_said(empty_store: Store, open_page: Open) -> None:
    add_version(
        empty_store,
        description="# Intended use\n\nTelling barrels from rods.",
        gate_reason="not worse than version 1",
        gate_value="0.81234",
    )
    app = open_page("models", empty_store.uri, view="Card")
    assert "# Intended use" in app.markdown[0].value
    assert "not worse than version 1" in app.info[0].value
    assert app.dataframe[0].value["Value"].tolist() == ["0.812"]


def test_the_url_chooses_a_version_else_the_champion(empty_store: Store, open_page: Open) -> None:
    for _ in range(3):
        add_version(empty_store)
    empty_store.client.set_registered_model_alias("m", "champion", "2")
    assert open_page("models", empty_store.uri).selectbox[1].value == "2"
    assert open_page("models", empty_store.uri, version="1").selectbox[1].value == "1"
    assert open_page("models", empty_store.uri, version="99").selectbox[1].value == "2"


def test_a_version_whose_model_is_gone_says_so(empty_store: Store, open_page: Open) -> None:
    add_version(empty_store)
    app = open_page("models", empty_store.uri, load="true")
    assert not app.exception
    assert "models:/m/1" in app.error[0].value.replace("\\", "")


def test_hostile_cards_and_tags_are_text(empty_store: Store, open_page: Open) -> None:
    add_version(empty_store, description=HOSTILE, gate_reason=HOSTILE, **{"x" * 200: HOSTILE})
    for view in ("Card", "Versions"):
        app = open_page("models", empty_store.uri, view=view)
        assert not app.exception
        assert not any(element.allow_html for element in app.markdown)
        texts = [element.value for element in (*app.markdown, *app.info)]
        assert not [text for text in texts if "![" in text.replace("\\![", "")]


@pytest.mark.parametrize("whole", [True, False], ids=["ended", "under way"])
def test_a_study_is_read_from_its_table_or_its_runs(whole: bool, empty_store: Store) -> None:
    study = load_study(empty_store.uri, add_study(empty_store, whole=whole))
    assert isinstance(study, Study)
    done = study.complete()
    assert list(done["classification/macro_f1"]) == [0.5, 0.9, 0.8] + [0.9] * whole
    assert dict(study.parameters) == {"beta": True, "schedule": False}
    assert [each.maximise for each in study.objectives] == [True, False]


def test_the_pareto_set_of_a_study(empty_store: Store) -> None:
    study = load_study(empty_store.uri, add_study(empty_store))
    assert isinstance(study, Study)
    assert pareto_set(study).tolist() == [True, False, False, True]


def test_charts_of_a_study(empty_store: Store) -> None:
    study = load_study(empty_store.uri, add_study(empty_store))
    assert isinstance(study, Study)
    best = [history_chart(study, each).data[1].y for each in study.objectives]
    assert [list(values) for values in best] == [[0.5, 0.9, 0.9, 0.9], [10, 10, 10, 10]]
    bars = importance_chart(study).data[0]
    assert list(bars.y) == ["schedule", "beta"]
    beta, schedule, *_ = parallel_chart(study).data[0].dimensions
    assert list(beta["values"]) == pytest.approx([-4, -3, -2, -1])
    assert list(beta["ticktext"]) == ["0.0001", "0.001", "0.01", "0.1"]
    assert list(schedule["ticktext"]) == ["constant", "ramp"]


@pytest.mark.parametrize("whole", [True, False], ids=["ended", "under way"])
def test_the_page_of_a_study(whole: bool, empty_store: Store, open_page: Open) -> None:
    run = add_study(empty_store, whole=whole)
    app = open_page("tuning", empty_store.uri, run)
    assert not app.exception
    assert len(app.get("plotly_chart")) == 4
    assert len(app.dataframe[0].value) == 5 if whole else 4


DAMAGED = {
    "objectives are no list": (names.OBJECTIVES, {"a": 1}),
    "an objective lacks a name": (names.OBJECTIVES, [{"direction": "maximize"}]),
    "no space": (names.STUDY, [1]),
    "no column of trials": (names.TRIALS, b"a,b\n1,2\n"),
    "no table": (names.TRIALS, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_a_damaged_study_is_named(fault: str, empty_store: Store, open_page: Open) -> None:
    name, content = DAMAGED[fault]
    run = add_study(empty_store)
    empty_store.put(run, name, content)
    app = open_page("tuning", empty_store.uri, run)
    assert not app.exception
    assert name in app.error[0].value.replace("\\", "")


def _png(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def test_an_upload_is_read_whatever_its_name(tmp_path: Any) -> None:
    image, size = live.read_upload("../../etc/<b>.png", _png(np.eye(8, dtype=np.uint8) * 255))
    assert image.shape == (1, 8, 8)
    assert size is None


BAD_UPLOADS = {
    "no image": ("a.png", b"no image", "cannot be read"),
    "cut off": ("a.tif", b"II*\0\x08\0\0\0", "cannot be read"),
    "a pickle": ("a.pkl", b"cos\nsystem\n(S'true'\ntR.", "another kind"),
    "a bomb": ("a.png", _png(np.zeros((9000, 9000), np.uint8)), "cut out the particle"),
}


@pytest.mark.parametrize("fault", BAD_UPLOADS)
def test_a_bad_upload_is_refused(fault: str) -> None:
    name, content, message = BAD_UPLOADS[fault]
    with pytest.raises(DataError, match=message):
        live.read_upload(name, content)


def test_shapes_in_words() -> None:
    assert describe_shape((1, 64, 64)) == "an image of 64 x 64 pixels (y, x)"
    assert describe_shape((2, 8, 9, 10)) == "a volume of 8 x 9 x 10 voxels (z, y, x), 2 channels"


def test_the_most_probable_class_is_on_top_and_names_are_text() -> None:
    figure = probability_bars({"a": 0.2, "<b>": 0.7, "c": 0.1})
    assert figure.layout.yaxis.ticktext[-1] == "&lt;b&gt;"
    assert list(figure.data[0].x) == [0.1, 0.2, 0.7]
    assert len(probability_bars({str(n): n / 100 for n in range(100)}).data[0].x) == 20
