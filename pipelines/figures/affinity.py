"""Pictures of affinity tables."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from latentlaw.priors.table import AffinityTable, symmetrise
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as InteractiveFigure

_MOST_WRITTEN = 24  # classes whose values still can be read in the cells


def affinity_heatmap(table: AffinityTable) -> "Figure":
    """Draw a table on [-1, 1], like classes side by side."""
    from matplotlib.figure import Figure

    names, count = table.class_names, len(table.class_names)
    distances = squareform(1 - symmetrise(table.values), checks=False)
    order = leaves_list(linkage(distances, "average", optimal_ordering=True)).tolist()
    values = table.values[np.ix_(order, order)]
    edge = float(np.clip(0.42 * count, 4, 20))
    figure = Figure(figsize=(edge + 1.5, edge), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    figure.colorbar(image, ax=axes, label="affinity", shrink=0.8)
    labels = [names[i] for i in order]
    size = float(np.clip(20 * edge / count, 3, 9))
    axes.set_xticks(range(count), labels, rotation=90, fontsize=size)
    axes.set_yticks(range(count), labels, fontsize=size)
    if count <= _MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(
                column,
                row,
                f"{round(value, 2) + 0.0:.2f}",
                ha="center",
                va="center",
                fontsize=6,
                color=colour,
            )
    return figure


def prior_heatmaps(affinities: Mapping[str, Mapping[str, Any]]) -> "InteractiveFigure":
    """Show a prior as given, as each method used it where that differs, and as each learned it.

    Parameters
    ----------
    affinities
        By method: `class_names` and the tables `given`, `used` and `learned`, as `evaluate` logs
        them, of the same classes.
    """
    from plotly.graph_objects import Heatmap
    from plotly.subplots import make_subplots

    first = next(iter(affinities.values()))
    panels = {"prior as given": first["given"]}
    for method, affinity in affinities.items():
        if not np.allclose(affinity["used"], affinity["given"], atol=5e-3):  # to what is written
            panels[f"as used by {method}"] = affinity["used"]
        panels[f"as learned by {method}"] = affinity["learned"]
    names = [f"{name} " for name in first["class_names"]]  # else 1e3 and 5 become numbers
    figure = make_subplots(1, len(panels), subplot_titles=list(panels), shared_yaxes=True)
    for place, values in enumerate(panels.values(), start=1):
        cells = np.array(values, dtype=float)
        heatmap = Heatmap(
            z=cells, x=names, y=names, coloraxis="coloraxis", texttemplate="%{z:.2f}"
        )
        figure.add_trace(heatmap, row=1, col=place)
    colours = {"colorscale": "RdBu_r", "cmin": -1, "cmax": 1, "colorbar": {"title": "similarity"}}
    figure.update_layout(coloraxis=colours, height=440, width=160 + 340 * len(panels))
    figure.update_yaxes(autorange="reversed")
    return figure
