"""Similarities of classes as a heat map: a pure function to a Plotly figure."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboards.wording.escaping import for_plotly

_MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}


def affinity_heatmap(
    matrix: NDArray[np.float64], class_names: Sequence[str], *, difference: bool = False
) -> go.Figure:
    """Draw similarities of classes on a scale centred on zero.

    Parameters
    ----------
    matrix
        `(k, k)`: cosines in [-1, 1], or with `difference` their difference, in [-2, 2].
    class_names
        Of rows and columns, `(k,)`.
    difference
        Whether it is one: it has other colours, and a scale to its largest value.
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
    figure.update_layout(height=440, margin=_MARGIN)
    return figure
