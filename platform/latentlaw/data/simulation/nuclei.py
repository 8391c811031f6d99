"""Images of nuclei whose factors are known, to tell what a latent space holds.

An image is a function of its factors and of nothing else, as in dSprites (Matthey et al. 2017): an
ellipse of chromatin with granules, which turn and stretch with it, on a black background.
"""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import jn_zeros

Images = NDArray[np.float32]
Array = NDArray[np.float64]

#: Ranges that factors are drawn from. Lengths are parts of the box, and every nucleus fits in it.
FACTORS: dict[str, tuple[float, float]] = {
    "size": (0.14, 0.25),  # geometric mean of the half axes
    "elongation": (1.2, 2.2),  # long over short axis; a circle would have no orientation
    # Radians from x to y. Half of the directions that an axis can have: all of them are a circle,
    # which no single latent can hold.
    "orientation": (-np.pi / 4, np.pi / 4),
    "intensity": (0.4, 1.0),  # mean over the nucleus
    "texture": (0.0, 0.6),  # amplitude of the granules, of the intensity
    "x": (-0.08, 0.08),  # centre, from voxel n//2
    "y": (-0.08, 0.08),
}
# Of granules along each half axis, radians. At frequencies (w, w) their mean over the ellipse is
# 2 J1(sqrt(2) w) / (sqrt(2) w), which a zero of J1 makes nothing: texture leaves intensity alone.
_WAVE = jn_zeros(1, 3)[-1] / np.sqrt(2)
_SUBPIXELS = 4  # along an edge, averaged
_BATCH = 64


def draw_factors(n: int, generator: torch.Generator) -> pd.DataFrame:
    """Draw each of `FACTORS` by itself, uniformly: `n` rows, one column per factor."""
    shares = torch.rand(n, len(FACTORS), generator=generator, dtype=torch.float64).numpy()
    low, high = np.array(list(FACTORS.values())).T
    return pd.DataFrame(low + shares * (high - low), columns=list(FACTORS))


def render_nuclei(factors: pd.DataFrame, box: int) -> Images:
    """Render a nucleus for each row of factors, anti-aliased by the mean of 4 x 4 subpixels.

    Parameters
    ----------
    factors
        Columns `FACTORS`.
    box
        Edge of the images in pixels.

    Returns
    -------
    ndarray
        `(n, 1, box, box)`, background 0.
    """
    images = np.empty((len(factors), 1, box, box), np.float32)
    centres = (np.arange(box * _SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5 - box // 2
    for start in range(0, len(factors), _BATCH):
        part = factors.iloc[start : start + _BATCH]
        fine = _light(part, centres / box)
        blocks = fine.reshape(len(part), box, _SUBPIXELS, box, _SUBPIXELS)
        images[start : start + _BATCH, 0] = blocks.mean(axis=(2, 4))
    return images


def _light(factors: pd.DataFrame, grid: Array) -> Array:
    """Intensity `(n, m, m)` of nuclei at points of a square grid `(m,)`, in parts of the box."""
    columns = {name: factors[name].to_numpy()[:, None, None] for name in FACTORS}
    x, y = grid[None, None, :] - columns["x"], grid[None, :, None] - columns["y"]
    cos, sin = np.cos(columns["orientation"]), np.sin(columns["orientation"])
    stretch = np.sqrt(columns["elongation"])
    u = (x * cos + y * sin) / (columns["size"] * stretch)  # 1 at the end of the long axis
    v = (y * cos - x * sin) / (columns["size"] / stretch)
    granules = np.cos(_WAVE * u) * np.cos(_WAVE * v)
    inside = u**2 + v**2 <= 1
    light: Array = inside * columns["intensity"] * (1 + columns["texture"] * granules)
    return light
