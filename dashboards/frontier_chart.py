"""The chart of accuracy against complexity: a pure function from tables to a Plotly figure."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards.measures import pareto_front
from dashboards.palette import GREY, SYMBOLS
from dashboards.text import for_plotly

# A family has one colour whichever others are there: black boxes warm, networks blue. The last one
# is Tol's (2021), as Okabe and Ito's seven are taken.
_FAMILIES = {
    "cnn": ("CNN on pixels", "#D55E00"),
    "resnet": ("ResNet on pixels", "#E69F00"),
    "boosting": ("Boosted trees on latents", "#CC79A7"),
    "dense": ("Dense network on latents", "#0072B2"),
    "logistic": ("Logistic regression on latents", "#F0E442"),
    "features": ("Logistic regression on image features", "#882255"),
    "sparse": ("Sparse networks on latents", "#56B4E9"),
    "equation": ("Equations of latents", "#009E73"),
}
_OUTLINE = {"width": 1, "color": "rgba(60,60,60,0.9)"}


def frontier_chart(
    frontiers: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, float],
    chosen: Mapping[str, pd.Series] | None = None,
) -> go.Figure:
    """Draw accuracy against complexity: a colour a family, a symbol a run, the front joined.

    Parameters
    ----------
    frontiers
        Label of a run: its frontier.
    thresholds
        Label of a run: the accuracy asked for, drawn as a broken line.
    chosen
        Label of a run: the simplest model above its threshold, ringed.
    """
    frontiers = {label: t[t["complexity"] > 0] for label, t in frontiers.items()}
    everything = pd.concat(list(frontiers.values()))
    families = _in_order(everything["family"].unique())
    figure = go.Figure()
    _add_front(figure, everything)
    for number, frontier in enumerate(frontiers.values()):
        for family in families:
            part = frontier[frontier["family"] == family]
            figure.add_trace(_rungs(part, _marker(_title_and_colour(family)[1], number)))
    for family in families:
        title, colour = _title_and_colour(family)
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


def _in_order(found: Iterable[str]) -> list[str]:
    """Return the families that there are, as in `_FAMILIES`, then those it does not know."""
    names = set(found)
    return [name for name in _FAMILIES if name in names] + sorted(names - set(_FAMILIES))


def _title_and_colour(family: str) -> tuple[str, str]:
    return _FAMILIES.get(family, (family, GREY))


def _add_front(figure: go.Figure, everything: pd.DataFrame) -> None:
    front = pareto_front(everything)
    figure.add_scatter(
        x=front["complexity"],
        y=front["accuracy"],
        mode="lines",
        name="Pareto front",
        hoverinfo="skip",
        line={"color": GREY, "width": 2, "shape": "hv"},
    )


def _rungs(part: pd.DataFrame, marker: dict[str, Any]) -> Any:
    columns = ("name", "family", "complexity", "accuracy", "macro_f1")
    text = [
        f"{for_plotly(name)} ({for_plotly(family)})<br>complexity {complexity:,.0f}<br>"
        f"accuracy {accuracy:.3f}<br>macro F1 {macro_f1:.3f}"
        for name, family, complexity, accuracy, macro_f1 in part[[*columns]].to_numpy(object)
    ]
    return go.Scatter(
        x=part["complexity"],
        y=part["accuracy"],
        mode="markers",
        showlegend=False,
        text=text,
        hovertemplate="%{text}<extra></extra>",
        marker=marker,
    )


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
