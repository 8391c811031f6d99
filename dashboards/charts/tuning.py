"""Charts of a study: its course, what its objectives depend on, its trials, its Pareto set."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from latentlaw.tracking.reading.studies import Objective, Study
from numpy.typing import NDArray

from dashboards.charts.palette import GREY, PALETTE
from dashboards.tables.measures import measure_title
from dashboards.wording.escaping import for_plotly

_MARGIN = {"l": 10, "r": 10, "t": 30, "b": 10}
# Seen on light and on dark ground, which the usual scales are not: they end near black or white.
_SCALE = [(0.0, GREY), (1.0, PALETTE[3])]
_MOST_CHOICES = 12
_FEW_VALUES = 5


def history_chart(study: Study, objective: Objective) -> go.Figure:
    """Draw the value of each complete trial, and the best up to it."""
    done = study.complete()
    values = done[objective.name]
    best = values.cummax() if objective.maximise else values.cummin()
    title = for_plotly(measure_title(objective.name))
    figure = go.Figure(
        [
            go.Scatter(
                x=done["trial"],
                y=values,
                mode="markers",
                name="trial",
                marker={"color": GREY, "size": 8},
                hovertemplate="trial %{x}: %{y:.4g}<extra></extra>",
            ),
            go.Scatter(
                x=done["trial"],
                y=best,
                mode="lines",
                name="best so far",
                line={"color": PALETTE[0], "width": 2, "shape": "hv"},
                hoverinfo="skip",
            ),
        ]
    )
    figure.update_xaxes(title_text="Trial")
    figure.update_yaxes(title_text=title)
    figure.update_layout(height=340, margin=_MARGIN, legend={"orientation": "h", "y": 1.12})
    return figure


def importance_chart(study: Study) -> go.Figure:
    """Draw each parameter's share in the variance of each objective, the largest on top."""
    names = sorted(
        {name for each in study.objectives for name in each.importance},
        key=lambda name: sum(each.importance.get(name, 0) for each in study.objectives),
    )
    figure = go.Figure()
    for number, each in enumerate(study.objectives):
        figure.add_trace(
            go.Bar(
                x=[each.importance.get(name, 0) for name in names],
                y=[for_plotly(name) for name in names],
                orientation="h",
                name=for_plotly(measure_title(each.name)),
                marker={"color": PALETTE[number % len(PALETTE)]},
                hovertemplate="%{y}: %{x:.0%}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="Share of the variance", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(type="category", showgrid=False)
    figure.update_layout(
        height=max(340, 80 + 34 * len(names)),
        margin=_MARGIN,
        showlegend=len(study.objectives) > 1,
        legend={"orientation": "h", "y": 1.12},
    )
    return figure


def parallel_chart(study: Study) -> go.Figure:
    """Draw each complete trial as a line across its parameters and objectives."""
    done = study.complete()
    first = study.objectives[0]
    axes = [_axis(done[name], name, log=log) for name, log in study.parameters.items()]
    axes += [_axis(done[o.name], measure_title(o.name), log=False) for o in study.objectives]
    figure = go.Figure(
        go.Parcoords(
            dimensions=axes,
            line={
                "color": done[first.name],
                "colorscale": _SCALE,
                "reversescale": not first.maximise,
                "showscale": True,
                "colorbar": {"title": {"text": for_plotly(measure_title(first.name), 24)}},
            },
        )
    )
    figure.update_layout(height=420, margin={"l": 60, "r": 40, "t": 60, "b": 20})
    return figure


def pareto_chart(study: Study) -> go.Figure:
    """Draw the first two objectives of each complete trial, and the Pareto set joined."""
    done = study.complete()
    x, y = study.objectives[1], study.objectives[0]
    chosen = pareto_set(study)
    front = done[chosen].sort_values(x.name)
    figure = go.Figure()
    parts: list[tuple[str, pd.DataFrame, dict[str, Any]]] = [
        ("trial", done[~chosen], {"color": GREY, "size": 8}),
        ("Pareto set", front, {"color": PALETTE[3], "size": 10, "symbol": "diamond"}),
    ]
    for name, part, marker in parts:
        figure.add_trace(
            go.Scatter(
                x=part[x.name],
                y=part[y.name],
                customdata=part["trial"],
                mode="markers" if name == "trial" else "markers+lines",
                line={"color": PALETTE[3], "width": 1, "dash": "dot"},
                name=name,
                marker=marker,
                hovertemplate="trial %{customdata}: %{x:.4g}, %{y:.4g}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text=for_plotly(measure_title(x.name)))
    figure.update_yaxes(title_text=for_plotly(measure_title(y.name)))
    figure.update_layout(height=380, margin=_MARGIN, legend={"orientation": "h", "y": 1.12})
    return figure


def pareto_set(study: Study) -> NDArray[np.bool_]:
    """Tell of each complete trial whether no other is as good in all objectives and better in one.

    Returns
    -------
    ndarray
        `(n,)`, in the order of `study.complete()`.
    """
    done = study.complete()
    signs = np.array([-1.0 if each.maximise else 1.0 for each in study.objectives])
    costs = done[[each.name for each in study.objectives]].to_numpy(float) * signs
    return np.array(
        [not ((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any() for cost in costs],
        dtype=bool,
    )


def _axis(values: pd.Series, title: str, *, log: bool) -> dict[str, Any]:
    """Return an axis: logarithmic ones in powers of ten, choices as places with their names."""
    label = for_plotly(title, 24)
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        names = sorted(values.astype(str).unique())[:_MOST_CHOICES]
        chosen = values.astype(str).map({name: place for place, name in enumerate(names)})
        ticks = {"tickvals": list(range(len(names))), "ticktext": [for_plotly(n) for n in names]}
        return {"label": label, "values": chosen.fillna(-1), **ticks}
    logarithmic = log and bool((numbers > 0).all())
    shown = np.log10(numbers.to_numpy(float)) if logarithmic else numbers.to_numpy(float)
    places = np.unique(shown)
    if len(places) > _FEW_VALUES:
        places = np.linspace(shown.min(), shown.max(), _FEW_VALUES)
    texts = [f"{10**place if logarithmic else place:.3g}" for place in places]
    return {"label": label, "values": shown, "tickvals": places, "ticktext": texts}
