"""Charts and the numbers behind them, without Streamlit."""

import numpy as np
import pandas as pd
import pytest
from latentlaw.tracking.names import LOSS_TERMS
from latentlaw.tracking.reading import queries

from dashboards.charts import affinity as heatmaps
from dashboards.charts import losses, robustness
from dashboards.charts.frontier import RUNG_FAMILIES, frontier_chart
from dashboards.charts.palette import GREY
from dashboards.tables import measures
from dashboards.wording import escaping
from tests.dashboards.dashboard_store import CLASSES, FRONTIER, Store, affinity_of

HOSTILE = "<img src=x onerror=alert(1)> $\\frac{1}{2}$ %{x} [a](javascript:b)"


@pytest.fixture
def frontier() -> pd.DataFrame:
    return pd.DataFrame(FRONTIER, columns=["family", "name", "complexity", "accuracy", "macro_f1"])


def test_no_simpler_model_is_as_accurate_as_one_of_the_front(frontier: pd.DataFrame) -> None:
    front = measures.pareto_front(frontier)
    assert list(front["complexity"]) == [12, 24, 35, 61, 96, 2310, 184342]
    assert front["accuracy"].is_monotonic_increasing


def test_the_simplest_model_above_a_share_of_the_black_box(frontier: pd.DataFrame) -> None:
    box = measures.black_box_accuracy(frontier, None)
    assert box == 0.971
    chosen = measures.simplest_above(frontier, 0.98 * box)
    assert chosen is not None
    assert chosen["name"] == "equations, 35 nodes"
    assert measures.simplest_above(frontier, 1.01) is None
    assert measures.black_box_accuracy(frontier, 0.9) == 0.9
    assert measures.black_box_accuracy(frontier[:0], None) is None


def test_the_best_run_is_marked_only_if_it_is_better() -> None:
    values = pd.Series({"a": 0.5, "b": 0.7, "c": np.nan})
    assert measures.best_runs(values, higher_is_better=True) == {"b"}
    assert measures.best_runs(values, higher_is_better=False) == {"a"}
    assert measures.best_runs(values[["a"]], higher_is_better=True) == set()
    assert measures.best_runs(pd.Series({"a": 1.0, "b": 1.0}), higher_is_better=True) == set()


def test_parameters_that_differ_come_first(full_store: Store) -> None:
    runs = queries.list_runs(full_store.uri, stages=["train"])
    pair = runs[runs["status"] == "FINISHED"]
    table = measures.differing_parameters(pair)
    assert list(table.index[table["differs"]]) == ["gamma", "model", "seed"]
    assert list(table.index[:3]) == ["gamma", "model", "seed"]
    assert measures.differing_parameters(runs[runs["status"] == "FAILED"]).empty


def test_a_panel_a_loss_term_and_one_legend_entry_a_run(full_store: Store) -> None:
    history = queries.loss_history(full_store.uri, full_store.ids["train"])
    figure = losses.loss_curves({"one": history, "two": history[history["term"] == "kl"]})
    assert [a.text for a in figure.layout.annotations] == [
        "Loss",
        "Reconstruction",
        "KL divergence (nats)",
        "Affinity term",
    ]
    assert [t.name for t in figure.data if t.showlegend] == ["one", "two"]
    assert {t.line.dash for t in figure.data} == {"solid", "dash"}


def test_each_term_of_the_loss_has_a_panel():
    assert list(losses._TERM_TITLES) == list(LOSS_TERMS)


def test_heat_maps_are_centred_on_zero() -> None:
    matrix = affinity_of(4)
    plain = heatmaps.affinity_heatmap(matrix, CLASSES[:4]).data[0]
    assert (plain.zmin, plain.zmax) == (-1, 1)
    difference = heatmaps.affinity_heatmap(matrix * 1.7, CLASSES[:4], difference=True).data[0]
    assert difference.zmax == -difference.zmin == pytest.approx(1.7)
    heatmaps.affinity_heatmap(np.full((4, 4), np.nan), CLASSES[:4], difference=True)


def test_the_frontier_has_a_log_axis_a_front_a_threshold_and_a_ring(
    frontier: pd.DataFrame,
) -> None:
    chosen = frontier.iloc[6]
    figure = frontier_chart({"a": frontier}, {"a": 0.95}, {"a": chosen})
    assert figure.layout.xaxis.type == "log"
    assert figure.data[0].name == "Pareto front"
    assert figure.layout.shapes[0].y0 == 0.95
    assert figure.data[-1].x == (35,)
    points = sum(len(t.x) for t in figure.data if t.hovertemplate)
    assert points == len(frontier)


def test_a_front_is_over_what_is_comparable_and_bars_are_intervals(
    frontier: pd.DataFrame,
) -> None:
    other = frontier.assign(accuracy=frontier["accuracy"] + 0.01).set_axis(range(100, 108))
    bars = other.assign(
        accuracy_low=other["accuracy"] - 0.02, accuracy_high=other["accuracy"] + 0.01
    )
    tables = {"a": frontier, "b": bars}
    together = frontier_chart(tables, {})
    apart = frontier_chart(tables, {}, None, {"a": "one task", "b": "another"})
    assert [sum(t.name == "Pareto front" for t in f.data) for f in (together, apart)] == [1, 2]
    barred = [t for t in together.data if t.error_y.array is not None]
    np.testing.assert_allclose(barred[0].error_y.array, 0.01)
    np.testing.assert_allclose(barred[0].error_y.arrayminus, 0.02)
    rows = np.concatenate([t.customdata[:, 0] for t in together.data if t.customdata is not None])
    assert sorted(rows) == [*range(8), *range(100, 108)]


def test_a_point_shows_its_expressions_as_text(frontier: pd.DataFrame) -> None:
    laws = {f"class {i}": f"z0<b>{i}</b>*z1" for i in range(12)}
    table = frontier.assign(expressions=[laws] * len(frontier))
    hover = next(t.text[0] for t in frontier_chart({"a": table}, {}).data if t.text)
    assert "class 0: z0&lt;b&gt;0&lt;/b&gt;*z1" in hover
    assert hover.endswith("<br>…")


def test_a_family_has_one_colour_of_its_own_whichever_others_there_are(
    frontier: pd.DataFrame,
) -> None:
    every = pd.DataFrame([{**frontier.iloc[0], "family": family} for family in RUNG_FAMILIES])

    def colours(table: pd.DataFrame) -> dict[str, str]:
        keys = [t for t in frontier_chart({"a": table}, {}).data if t.x == (None,)]
        return {t.name: t.marker.color for t in keys}

    all_colours = colours(every)
    assert len(set(all_colours.values())) == len(RUNG_FAMILIES)
    assert GREY not in all_colours.values()
    assert colours(every[3:5]).items() < all_colours.items()
    unknown = every[:2].assign(family=["cnn", "new"])
    assert colours(unknown)["new"] == GREY


def test_hostile_names_are_text_in_every_figure(frontier: pd.DataFrame, full_store: Store) -> None:
    history = queries.loss_history(full_store.uri, full_store.ids["train"])
    rungs = frontier.assign(family=HOSTILE, name=HOSTILE)
    figures = [
        heatmaps.affinity_heatmap(affinity_of(2), [HOSTILE, "b"]),
        losses.loss_curves({HOSTILE: history}),
        frontier_chart({HOSTILE: rungs, "b": rungs}, {HOSTILE: 0.9, "b": 0.8}),
    ]
    for figure in figures:
        written = figure.to_json()
        assert "<img" not in written
        assert "\\u003cimg" not in written
        assert "$" not in written
        assert "%{x}" not in written


def test_text_is_cut_and_escaped() -> None:
    assert escaping.shorten("a\n b" + "c" * 10_000) == "a b" + "c" * 56 + "…"
    assert escaping.for_markdown("a*b_[c](d)<e>$f$:g[h]") == (
        r"a\*b\_\[c\]\(d\)\<e\>\$f\$\:g\[h\]"
    )
    assert escaping.is_plain_latex(r"\frac{1}{z_{0}}")
    assert not escaping.is_plain_latex("x $$ <b>")
    assert not escaping.is_plain_latex("")
    assert not escaping.is_plain_latex("x" * 10_000)


def test_a_family_is_named_and_coloured_alike_in_every_chart() -> None:
    run = pd.Series({f"metrics.robustness/{each}/eps_0.1": 0.4 for each in sorted(RUNG_FAMILIES)})
    lines = robustness.attack_curves(run).data
    assert [(line.name, line.line.color) for line in lines] == list(RUNG_FAMILIES.values())


def test_robustness_has_a_row_and_a_line_a_family_in_order_of_radius() -> None:
    run = pd.Series(
        {
            "metrics.robustness/a/b/eps_0.1": 0.4,
            "metrics.robustness/a/b/eps_0": 0.9,
            "metrics.robustness/a/b/eps_0.05": 0.7,
            "metrics.robustness/a/b/median_l2": 1.5,
            "metrics.robustness/cnn/median_l2": float("nan"),
            "metrics.discovery/equation_accuracy": 0.9,
            "run_id": "x",
        }
    )
    table = robustness.robustness_table(run)
    assert table.to_dict("index") == {"a/b": {"Median radius, L2": 1.5}}
    (line,) = robustness.attack_curves(run).data
    assert (list(line.x), list(line.y)) == ([0, 0.05, 0.1], [0.9, 0.7, 0.4])
    assert robustness.robustness_table(run[-2:]).empty
