"""The chart of accuracy against complexity: a pure function from tables to a Plotly figure."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts.palette import GREY, SYMBOLS
from dashboards.tables.measures import pareto_front
from dashboards.wording.escaping import for_plotly

# A family has one colour whichever others are there: black boxes warm, networks blue. The last one
# is Tol's (2021), as Okabe and Ito's seven are taken.
RUNG_FAMILIES = {
    "cnn": ("CNN on pixels", "#D55E00"),
    "resnet": ("ResNet on pixels", "#E69F00"),
    "boosting": ("Boosted trees on latents", "#CC79A7"),
    "dense": ("Dense network on latents", "#0072B2"),
    "logistic": ("Logistic regression on latents", "#F0E442"),
    "features": ("Logistic regression on image features", "#882255"),
    "sparse": ("Sparse networks on latents", "#56B4E9"),
    "equation": ("Equations of latents", "#009E73"),
}
_MOST_LAWS = 8  # shown as a point is pointed at
_OUTLINE = {"width": 1, "color": "rgba(60,60,60,0.9)"}


def frontier_chart(
    frontiers: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, float],
    chosen: Mapping[str, pd.Series] | None = None,
    comparable: Mapping[str, str] | None = None,
) -> go.Figure:
    """Draw accuracy against complexity: a colour a family, a symbol a run, the front joined.

    Parameters
    ----------
    frontiers
        Label of a run: its frontier. The index is what a point that is clicked is known by.
    thresholds
        Label of a run: the accuracy asked for, drawn as a broken line.
    chosen
        Label of a run: the simplest model above its threshold, ringed.
    comparable
        Label of a run: what it shares with those that a front may be drawn over, such as its
        data; None: all are comparable.
    """
    frontiers = {label: t[t["complexity"] > 0] for label, t in frontiers.items()}
    families = in_order(name for t in frontiers.values() for name in t["family"].unique())
    figure = go.Figure()
    alike: dict[str, list[pd.DataFrame]] = {}
    for label, frontier in frontiers.items():
        alike.setdefault((comparable or {}).get(label, ""), []).append(frontier)
    for number, tables in enumerate(alike.values()):
        _add_front(figure, pd.concat(tables), legend=not number)
    for number, frontier in enumerate(frontiers.values()):
        for family in families:
            part = frontier[frontier["family"] == family]
            figure.add_trace(_rungs(part, _marker(title_and_colour(family)[1], number)))
    for family in families:
        title, colour = title_and_colour(family)
        _add_key(figure, title, _marker(colour, 0))
    for number, label in enumerate(frontiers if len(frontiers) > 1 else ()):
        _add_key(figure, label, _marker(GREY, number))
    for number, (label, level) in enumerate(thresholds.items()):
        _add_threshold(figure, number, label if len(thresholds) > 1 else "threshold", level)
    for model in (chosen or {}).values():
        _add_ring(figure, model)
    figure.update_xaxes(
        type="log",
        dtick=1,
        showgrid=True,
        title_text="Complexity (weights that are not zero, or nodes of trees or expressions)",
    )
    figure.update_yaxes(title_text="Accuracy on unseen data")
    figure.update_layout(
        height=540,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": -0.14, "yanchor": "top"},
    )
    return figure


def in_order(found: Iterable[str]) -> list[str]:
    """Return the families that there are, as in `RUNG_FAMILIES`, then those it does not know."""
    names = set(found)
    return [name for name in RUNG_FAMILIES if name in names] + sorted(names - set(RUNG_FAMILIES))


def family_title(family: str) -> str:
    """Say what a family of models is, in the field's words."""
    return title_and_colour(family)[0]


def title_and_colour(family: str) -> tuple[str, str]:
    """Return what a family of models is called and drawn in, wherever it is drawn."""
    return RUNG_FAMILIES.get(family, (family, GREY))


def _add_front(figure: go.Figure, everything: pd.DataFrame, *, legend: bool) -> None:
    front = pareto_front(everything)
    figure.add_scatter(
        x=front["complexity"],
        y=front["accuracy"],
        mode="lines",
        name="Pareto front",
        showlegend=legend,
        hoverinfo="skip",
        line={"color": GREY, "width": 2, "shape": "hv"},
    )


def _rungs(part: pd.DataFrame, marker: dict[str, Any]) -> Any:
    rungs = go.Scatter(
        x=part["complexity"],
        y=part["accuracy"],
        mode="markers",
        showlegend=False,
        customdata=part.index.to_numpy()[:, None],
        text=[_hover(rung) for _, rung in part.iterrows()],
        hovertemplate="%{text}<extra></extra>",
        marker=marker,
    )
    if {"accuracy_low", "accuracy_high"} <= set(part) and part["accuracy_low"].notna().any():
        rungs.error_y = {
            "type": "data",
            "symmetric": False,
            "array": part["accuracy_high"] - part["accuracy"],
            "arrayminus": part["accuracy"] - part["accuracy_low"],
            "thickness": 1.5,
            "width": 4,
        }
    return rungs


def _hover(rung: pd.Series) -> str:
    lines = [
        f"{for_plotly(rung['name'])} · {for_plotly(family_title(rung['family']))}",
        f"complexity {rung['complexity']:,.0f}",
        f"accuracy {rung['accuracy']:.3f}",
        f"macro F1 {rung['macro_f1']:.3f}",
    ]
    if pd.notna(rung.get("accuracy_low")):
        lines[2] += f" [{rung['accuracy_low']:.3f}, {rung['accuracy_high']:.3f}]"
    expressions: Mapping[str, str] = rung.get("expressions") or {}
    shown = list(expressions.items())[:_MOST_LAWS]
    lines += [f"{for_plotly(name, 20)}: {for_plotly(law, 70)}" for name, law in shown]
    lines += ["…"] * (len(expressions) > len(shown))
    return "<br>".join(lines)


def _marker(colour: str, run: int) -> dict[str, Any]:
    return {"color": colour, "symbol": SYMBOLS[run % len(SYMBOLS)], "size": 12, "line": _OUTLINE}


def _add_key(figure: go.Figure, name: str, marker: dict[str, Any]) -> None:
    """Add an entry to the legend: a trace without points."""
    figure.add_scatter(x=[None], y=[None], mode="markers", name=for_plotly(name), marker=marker)


def _add_threshold(figure: go.Figure, number: int, label: str, level: float) -> None:
    figure.add_hline(
        y=level,
        line={"color": "#D55E00", "dash": ("dot", "dash", "dashdot")[number % 3], "width": 1.5},
        annotation={"text": for_plotly(f"{label}: {level:.3f}"), "font": {"size": 11}},
        annotation_position="bottom right",
    )


def _add_ring(figure: go.Figure, model: pd.Series) -> None:
    figure.add_scatter(
        x=[model["complexity"]],
        y=[model["accuracy"]],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 24, "color": "#D55E00", "line": {"width": 2.5}},
    )
