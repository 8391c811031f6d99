"""Charts: pure functions from tables to Plotly figures; every string in them is escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboards.palette import PALETTE
from dashboards.text import for_plotly

_MARGIN = {"l": 10, "r": 10, "t": 40, "b": 10}
_TERM_TITLES = {
    "loss": "Loss",
    "reconstruction": "Reconstruction",
    "kl": "KL divergence (nats)",
    "affinity": "Affinity term",
}


def loss_curves(histories: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw loss and its terms against epoch: a panel a term, a colour a run, validation dashed.

    Parameters
    ----------
    histories
        Label of a run: its `loss_history`.
    """
    present = {term for table in histories.values() for term in table["term"]}
    terms = [term for term in _TERM_TITLES if term in present]
    rows = max(1, -(-len(terms) // 2))
    columns = 2 if len(terms) > 1 else 1
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[_TERM_TITLES[term] for term in terms],
        horizontal_spacing=0.07,
        vertical_spacing=0.14,
    )
    for number, (label, table) in enumerate(histories.items()):
        parts = sorted(table.groupby(["term", "split"]), key=lambda item: item[0][1] == "val")
        for order, ((term, split), part) in enumerate(parts):
            place = terms.index(str(term))
            name = for_plotly(label)
            figure.add_trace(
                go.Scatter(
                    x=part["epoch"],
                    y=part["value"],
                    mode="lines" if len(part) > 1 else "markers",
                    name=name,
                    legendgroup=name,
                    showlegend=order == 0,
                    line={
                        "color": PALETTE[number % len(PALETTE)],
                        "dash": "dash" if split == "val" else "solid",
                        "width": 2,
                    },
                ),
                row=place // 2 + 1,
                col=place % 2 + 1,
            )
    for place in range(max(0, len(terms) - 2), len(terms)):
        figure.update_xaxes(title_text="Epoch", row=place // 2 + 1, col=place % 2 + 1)
    figure.update_layout(
        height=300 * rows + 60,
        margin=_MARGIN,
        legend={"orientation": "h", "y": -0.15, "yanchor": "top"},
    )
    return figure


def chart_config(name: str, *, zooms: bool = False) -> dict[str, Any]:
    """Configure a chart's tools: its picture is saved as SVG, named `name`.

    Parameters
    ----------
    zooms
        Whether the wheel zooms; otherwise it scrolls the page.
    """
    image = {"format": "svg", "filename": name}
    return {"displaylogo": False, "scrollZoom": zooms, "toImageButtonOptions": image}


def affinity_heatmap(
    matrix: NDArray[np.float64], class_names: Sequence[str], *, difference: bool = False
) -> go.Figure:
    """Draw similarities of classes on a scale centred on zero.

    Parameters
    ----------
    matrix
        `(k, k)`: cosines in [-1, 1], or with `difference` their difference, in [-2, 2].
    """
    names = [for_plotly(name, 24) for name in class_names]
    places = list(range(len(names)))
    span = 1.0
    if difference and np.isfinite(matrix).any():
        span = max(0.1, float(np.nanmax(np.abs(matrix))))
    few = len(names) <= 12
    hover = [[f"{a} and {b}: {v:.3f}" for b, v in zip(names, row, strict=True)]
             for a, row in zip(names, matrix, strict=True)]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            x=places,
            y=places,
            text=[[f"{v:.2f}" if np.isfinite(v) else "" for v in row] for row in matrix],
            texttemplate="%{text}" if few else None,
            hovertext=hover,
            hoverinfo="text",
            colorscale="PuOr" if difference else "RdBu_r",
            zmin=-span,
            zmax=span,
            xgap=1,
            ygap=1,
            colorbar={"orientation": "h", "thickness": 10, "y": -0.3, "yanchor": "top"},
        )
    )
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": names, "showgrid": False}
    figure.update_xaxes(tickangle=-40, **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    figure.update_layout(height=440, margin={**_MARGIN, "t": 10})
    return figure
