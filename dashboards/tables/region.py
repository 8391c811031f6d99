"""A region drawn in an embedding: a polygon, as text for the URL, and the points within it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray

MOST_VERTICES = 60
_PART, _VERTEX = "~", "_"


@dataclass(frozen=True)
class Region:
    """A polygon in a projection of a run's embedding.

    Attributes
    ----------
    vertices
        `(x, y)` in the projection's own units.
    """

    run_id: str
    projection: str
    vertices: tuple[tuple[float, float], ...]

    def rows(self, points: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
        """Return which of the points `(n, 2)` lie within; those that are NaN do not."""
        corners = np.array(self.vertices)
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        x, y = points[:, 0], points[:, 1]
        near = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
        return np.asarray(near[Polygon(corners).contains_points(points[near])])

    def to_text(self) -> str:
        """Write the region for a URL, vertices to five digits."""
        places = _VERTEX.join(f"{x:.5g},{y:.5g}" for x, y in self.vertices)
        return _PART.join((self.run_id, self.projection, places))


def region_of(
    run_id: str, projection: str, x: Iterable[float], y: Iterable[float]
) -> Region | None:
    """Return the region of a lasso's vertices, thinned to `MOST_VERTICES`; None of under three."""
    vertices = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    step = -(-len(vertices) // MOST_VERTICES) or 1
    thinned = tuple(vertices[::step])
    return Region(run_id, projection, thinned) if len(thinned) >= 3 else None


def region_from_text(text: str) -> Region | None:
    """Read what `to_text` wrote; None where it is anything else."""
    run_id, _, rest = text.partition(_PART)
    projection, _, places = rest.partition(_PART)
    try:
        pairs = [place.split(",") for place in places.split(_VERTEX)[: MOST_VERTICES + 1]]
        vertices = tuple((float(x), float(y)) for x, y in pairs)
    except ValueError:
        return None
    finite = len(vertices) >= 3 and bool(np.isfinite(vertices).all())
    return Region(run_id, projection, vertices) if finite else None
