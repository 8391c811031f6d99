"""Millions of points as one picture: their mean colour a pixel, the denser the more opaque."""

import base64
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FAINTEST = 0.35  # opacity of a pixel with one point
_MARGIN = 0.04  # share of the points' extent, on each side


class Extent(NamedTuple):
    """What a chart shows: the ranges of its axes, low before high."""

    left: float
    right: float
    bottom: float
    top: float

    def holds(self, points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Tell which points `(n, 2)` lie within, `(n,)`; those that are NaN do not."""
        x, y = points[:, 0], points[:, 1]
        return (x >= self.left) & (x <= self.right) & (y >= self.bottom) & (y <= self.top)


def extent_of(points: NDArray[np.floating[Any]]) -> Extent:
    """Return the extent of points `(n, 2)` with a margin; the unit square where there are none."""
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return Extent(0.0, 1.0, 0.0, 1.0)
    low, high = finite.min(axis=0).astype(float), finite.max(axis=0).astype(float)
    pad = np.maximum((high - low) * _MARGIN, 1e-6 + 1e-3 * np.abs(high))
    (left, bottom), (right, top) = (low - pad).tolist(), (high + pad).tolist()
    return Extent(left, right, bottom, top)


@dataclass(frozen=True)
class Raster:
    """A picture `(y, x, rgba)` of points, its first row at the top, and what it covers."""

    pixels: NDArray[np.uint8]
    extent: Extent

    def data_uri(self) -> str:
        """Return the picture as a PNG that a page can hold."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, format="PNG", compress_level=1)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def rasterise(
    points: NDArray[np.floating[Any]],
    colours: NDArray[np.integer[Any]],
    palette: NDArray[np.uint8],
    extent: Extent,
    size: tuple[int, int] = (440, 560),
) -> Raster:
    """Draw points by the mean of their colours in each pixel.

    Parameters
    ----------
    points
        `(n, 2)`: x and y. Those outside `extent`, or NaN, are left out.
    colours
        Row of `palette` `(k, 3)` of each point, `(n,)`.
    palette
        Red, green and blue, `(k, 3)`.
    extent
        What the picture covers.
    size
        Pixels `(y, x)`.

    Returns
    -------
    Raster
        Opacity grows with the logarithm of the number of points in a pixel, so that both a
        single particle and the heart of a cluster are seen.
    """
    rows, columns = size
    inside = np.flatnonzero(extent.holds(points))
    x = (points[inside, 0] - extent.left) * (columns / (extent.right - extent.left))
    y = (extent.top - points[inside, 1]) * (rows / (extent.top - extent.bottom))
    place = np.minimum(y.astype(np.intp), rows - 1) * columns
    place += np.minimum(x.astype(np.intp), columns - 1)
    count = np.bincount(place, minlength=rows * columns)
    own = palette[colours[inside]]
    pixels = np.zeros((rows * columns, 4), np.uint8)
    seen = count > 0
    for channel in range(3):
        total = np.bincount(place, weights=own[:, channel], minlength=rows * columns)
        pixels[seen, channel] = np.rint(total[seen] / count[seen])
    depth = np.log1p(count[seen]) - np.log1p(1)
    span = max(float(depth.max(initial=0)), 1e-9)
    pixels[seen, 3] = np.rint(255 * (_FAINTEST + (1 - _FAINTEST) * depth / span))
    return Raster(pixels.reshape(rows, columns, 4), extent)
