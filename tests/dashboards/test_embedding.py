"""Embeddings: where points are, what colours them, which a region holds, how they are drawn."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboards.charts.colouring import UNLABELLED, Scheme, choices, scheme_of
from dashboards.charts.embedding import MOST_POINTS, SAMPLE, Embedded, embedding_chart
from dashboards.charts.palette import GREY
from dashboards.charts.raster import Extent, extent_of, rasterise
from dashboards.tables import projections
from dashboards.tables.region import MOST_VERTICES, Region, region_from_text, region_of
from tests.dashboards.dashboard_store import CLASSES, embeddings

HOSTILE = "<img src=x onerror=alert(1)> $\\frac{1}{2}$ %{x} [a](javascript:b)"
UNIT = Extent(0.0, 1.0, 0.0, 1.0)
RED_BLUE = np.array([[200, 0, 0], [0, 0, 100]], np.uint8)
AXES = ("a", "b")


def embedded_of(table: pd.DataFrame, column: str = "label") -> Embedded:
    points = projections.positions(table, "logged")
    return Embedded.of(table, points, scheme_of(column, [table]))


def drawn(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.customdata is not None]


def test_a_point_is_in_its_pixel_and_row_0_is_at_the_top() -> None:
    points = np.array([[0.1, 0.9], [0.9, 0.1], [np.nan, 0.5], [2.0, 0.5], [1.0, 0.0]])
    picture = rasterise(points, np.zeros(5, int), RED_BLUE, UNIT, size=(4, 10)).pixels
    assert set(map(tuple, np.argwhere(picture[..., 3] > 0))) == {(0, 1), (3, 9)}
    assert tuple(picture[0, 1, :3]) == (200, 0, 0)


def test_a_pixel_has_the_mean_colour_of_its_points_and_more_of_them_are_more_opaque() -> None:
    points = np.array([[0.1, 0.5]] * 4 + [[0.9, 0.5]])
    picture = rasterise(points, np.array([0, 0, 0, 1, 1]), RED_BLUE, UNIT, size=(1, 2)).pixels
    assert tuple(picture[0, 0]) == (150, 0, 25, 255)
    assert tuple(picture[0, 1, :3]) == (0, 0, 100)
    assert 0 < picture[0, 1, 3] < 255


def test_an_extent_holds_every_finite_point_even_one_alone() -> None:
    assert extent_of(np.array([[3.0, 5.0], [np.nan, 0.0]])).holds(np.array([[3.0, 5.0]])).all()
    assert extent_of(np.zeros((0, 2))) == UNIT


def test_a_region_holds_what_is_within_its_polygon_not_its_box() -> None:
    corner = region_of("r", "logged", [0, 2, 2, 1, 1, 0], [0, 0, 1, 1, 2, 2])
    assert corner is not None
    points = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5], [np.nan, 0.5], [3, 0.5]])
    assert corner.rows(points).tolist() == [0, 1, 2]


def test_a_region_comes_back_from_the_url_and_nothing_else_does() -> None:
    angle = np.linspace(0, 2 * np.pi, 500)
    circle = region_of("a" * 32, "z0-z3", np.cos(angle), np.sin(angle))
    assert circle is not None
    assert len(circle.vertices) <= MOST_VERTICES
    back = region_from_text(circle.to_text())
    assert back is not None
    assert (back.run_id, back.projection) == ("a" * 32, "z0-z3")
    np.testing.assert_allclose(back.vertices, circle.vertices, atol=1e-4)
    assert region_of("a", "logged", [0, 1], [0, 1]) is None
    for text in ("", "a~b", "a~b~1,2_3,4", "a~b~1,2_3,4_nan,0", "a~b~x,y_1,2_3,4", "~~1_2_3"):
        assert region_from_text(text) is None


def test_latents_are_in_order_and_a_projection_of_two_is_those_two() -> None:
    table = pd.DataFrame({f"z{i}": [float(i)] for i in (10, 2, 0)} | {"zoo": [1.0]})
    assert projections.latents_of(table) == ["z0", "z2", "z10"]
    assert projections.positions(table, "z10-z2").tolist() == [[10.0, 2.0]]
    assert np.isnan(projections.positions(table, "z10-z99")).all()
    assert projections.shared_latents([table, table[["z2", "z0"]]]) == ["z0", "z2"]
    assert not projections.is_projection("os.system")


def test_a_class_has_one_colour_whatever_other_classes_a_run_lacks() -> None:
    table = embeddings(CLASSES, 0)
    scheme = scheme_of("label", [table])
    assert scheme.names is not None
    assert scheme.names[-1] == UNLABELLED
    part = table[table["label"] == "ribosome"]
    assert set(scheme.codes(part["label"])) == {scheme.names.index("ribosome")}
    looks = {(scheme.colour(i), Scheme.symbol(i)) for i in range(len(scheme.names))}
    assert len(looks) == len(scheme.names)


def test_no_two_of_many_classes_look_alike() -> None:
    scheme = scheme_of("label", [pd.DataFrame({"label": [f"c{i:03d}" for i in range(80)]})])
    assert scheme.names is not None
    looks = {(scheme.colour(i), Scheme.symbol(i)) for i in range(len(scheme.names))}
    assert len(looks) == len(scheme.names) == 49
    assert scheme.codes(pd.Series(["c000", "c079"])).tolist() == [0, 48]


def test_numbers_are_on_a_scale_that_outliers_do_not_take_and_nan_is_grey() -> None:
    values = np.append(np.linspace(0, 1, 1000), 1e9)
    scheme = scheme_of("novelty", [pd.DataFrame({"novelty": values})])
    assert scheme.names is None
    assert scheme.limits[1] < 2
    codes = scheme.codes(pd.Series([0.0, 1e9, np.nan]))
    assert codes.tolist() == [0, 255, 256]
    assert choices([embeddings(CLASSES, 0)])[:3] == ["label", "predicted", "probability"]


def test_every_particle_is_drawn_once_and_unseen_ones_are_larger() -> None:
    table = embeddings(CLASSES, 0)
    for column in ("label", "novelty"):
        traces = drawn(embedding_chart(embedded_of(table, column), AXES))
        rows = np.concatenate([trace.customdata[:, 0] for trace in traces])
        assert sorted(rows) == list(range(len(table)))
        assert {trace.marker.size for trace in traces} == {6, 9}
    validated = embedding_chart(embedded_of(table.assign(split="val")), AXES)
    assert {trace.marker.size for trace in drawn(validated)} == {6}


def test_all_but_the_members_are_grey() -> None:
    table = embeddings(CLASSES, 0)
    figure = embedding_chart(embedded_of(table), AXES, members=np.array([3, 5]))
    coloured = [t for t in drawn(figure) if t.marker.color != GREY]
    assert sorted(np.concatenate([t.customdata[:, 0] for t in coloured])) == [3, 5]


def test_a_crowd_is_a_picture_of_all_until_few_enough_are_in_view() -> None:
    n = 20 * MOST_POINTS
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"particle_id": np.arange(n), "label": "a", "split": "test"})
    table[["px", "py"]] = rng.uniform(0, 1, (n, 2))
    embedded = embedded_of(table)
    figure = embedding_chart(embedded, AXES)
    assert figure.layout.images[0].source.startswith("data:image/png")
    assert sum(len(trace.x) for trace in drawn(figure)) == SAMPLE
    assert len(figure.to_json()) < 2**20
    near = Extent(0.4, 0.5, 0.4, 0.5)
    figure = embedding_chart(embedded, AXES, view=near)
    assert not figure.layout.images
    rows = np.concatenate([trace.customdata[:, 0] for trace in drawn(figure)])
    assert sorted(rows) == np.flatnonzero(near.holds(embedded.points)).tolist()


def test_hostile_names_are_text() -> None:
    table = embeddings((HOSTILE, "b"), 0)
    for column in ("label", "predicted"):
        written = embedding_chart(embedded_of(table, column), (HOSTILE, "b")).to_json()
        for mark in ("<img", "\\u003cimg", "$", "%{x}"):
            assert mark not in written


@pytest.mark.parametrize("text", ["", "logged", "z0-z1"])
def test_a_region_of_a_run_has_its_projection(text: str) -> None:
    region = Region("a", text, ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    assert region_from_text(region.to_text()) == region
