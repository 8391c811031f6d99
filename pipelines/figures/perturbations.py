"""The smallest changes that make each rung err, drawn beside the images that they are of."""

from typing import TYPE_CHECKING, Any

import numpy as np
from latentlaw.data.inspection.previews import central_slice
from latentlaw.discovery.robustness.probing import ProbeImages, RungProbe
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = 4
_INCHES = 1.35


def perturbation_figure(
    found: list[RungProbe], images: ProbeImages, class_names: list[str]
) -> "Figure":
    """Draw a few test images, and beside each, for each rung, the change and the image after it.

    Changes are the smallest found in L2; blue is darker, red brighter, and each has its own scale
    since most would not be seen on that of the image. The green line is the nucleus, or what else
    stands out.
    """
    from matplotlib.figure import Figure

    rows = _shown_rows(found, images.labels)
    normalised = images.normalised.numpy()
    columns = 1 + 2 * len(found)
    size = (_INCHES * columns, 1.3 * _INCHES * len(rows) + 0.3)
    figure = Figure(figsize=size, layout="constrained", dpi=110)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (row, places) in enumerate(zip(rows, grid, strict=True)):
        before, mask = central_slice(normalised[row]), central_slice(images.masks[row])
        limits = float(before.min()), float(before.max())
        _grey(places[0], before, limits, class_names[images.labels[row]])
        for probe, left, right in zip(found, places[1::2], places[2::2], strict=True):
            after = central_slice(probe.l2.images[row].numpy())
            name = f"{probe.family}\n" if line == 0 else ""
            _change(left, after - before, mask, f"{name}{_size(probe, row)}")
            _grey(right, after, limits, f"→ {class_names[probe.answers[row]]}")
    return figure


def _shown_rows(found: list[RungProbe], labels: NDArray[np.int64]) -> list[int]:
    """Return an image a class, as long as there are some, that most rungs had to be moved on."""
    moved = np.sum([probe.l2.moved.numpy() for probe in found], axis=0)
    order = np.argsort(-moved, kind="stable")
    # The first of each class, then the second of each.
    turn = np.empty(len(labels), np.int64)
    for k in np.unique(labels):
        own = order[labels[order] == k]
        turn[own] = np.arange(len(own))
    rows = order[np.argsort(turn[order], kind="stable")][:_SHOWN]
    return [int(row) for row in rows]


def _size(probe: RungProbe, row: int) -> str:
    radius = float(probe.l2.radii[row])
    if radius == 0:
        return "errs as it is"
    return f"{radius:.2f}" if np.isfinite(radius) else "none found"


def _grey(place: "Axes", image: NDArray[Any], limits: tuple[float, float], title: str) -> None:
    place.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    _label(place, title)


def _change(place: "Axes", image: NDArray[Any], mask: NDArray[np.bool_], title: str) -> None:
    most = max(float(np.abs(image).max()), 1e-12)
    place.imshow(image, cmap="RdBu_r", vmin=-most, vmax=most)
    if mask.any() and not mask.all():
        place.contour(mask, levels=[0.5], colors=["#009E73"], linewidths=0.8)
    _label(place, title)


def _label(place: "Axes", title: str) -> None:
    place.set_title(title, fontsize=7, parse_math=False)
    place.set_axis_off()
