"""Picks drawn on a slice of their tomogram."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from latentlaw.data.inspection.previews import to_grey
from latentlaw.data.tomograms.store import Tomogram

from pipelines.figures.evaluation import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CONTRAST = (1, 99)
_DEPTH = 0.25  # of a box: how far from the slice picks are shown, and how thick the slice is


def picks_figure(tomogram: Tomogram, picks: pd.DataFrame, box: int) -> "Figure":
    """Draw the picks of a tomogram that are near the z slice with most of them.

    Parameters
    ----------
    picks
        `z, y, x` in angstrom and `class`.
    box
        Edge in voxels of the model's box, as large as circles are drawn.
    """
    from matplotlib.figure import Figure

    voxels = picks[["z", "y", "x"]].to_numpy() / tomogram.voxel_size_a
    reach = max(1.0, _DEPTH * box)
    planes = np.arange(tomogram.shape[0])
    near = np.abs(planes[:, None] - voxels[:, 0]) <= reach
    plane = int(near.sum(axis=1).argmax())
    low, high = max(0, plane - int(reach) // 2), plane + int(reach) // 2 + 1
    whole = (slice(low, high), slice(None), slice(None))
    image = tomogram.read(whole).mean(axis=0, dtype=np.float64)
    height, width = image.shape
    figure = Figure(figsize=(8, 8 * height / width + 0.6), layout="constrained", dpi=110)
    axes = figure.subplots()
    grey = to_grey(image, *np.percentile(image[np.isfinite(image)], _CONTRAST))
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255)
    size = (0.6 * box * 8 * 72 / width) ** 2  # points squared
    for i, (name, rows) in enumerate(picks.assign(shown=near[plane]).groupby("class")):
        shown = rows[rows["shown"]]
        axes.scatter(
            shown["x"] / tomogram.voxel_size_a,
            shown["y"] / tomogram.voxel_size_a,
            s=size,
            marker=MARKERS[i // len(COLOURS) % len(MARKERS)],
            facecolors="none",
            edgecolors=COLOURS[i % len(COLOURS)],
            linewidths=1.6,
            label=str(name),
        )
    axes.set(xlabel="x, voxels", ylabel="y, voxels", title=f"{tomogram.name}, z = {plane}")
    legend = figure.legend(loc="outside lower center", ncols=6, frameon=False, markerscale=0.4)
    legend.set_in_layout(True)
    return figure
