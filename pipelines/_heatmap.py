"""A picture of an affinity table."""

from typing import TYPE_CHECKING

import numpy as np
from latentlaw.priors.table import AffinityTable, symmetrise
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
