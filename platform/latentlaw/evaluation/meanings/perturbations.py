"""What a change of images is made of: where it lies, and which plain features it moves.

A model is domain-appropriate if only a change of what the image shows (chromatin, a protein) moves
its decision; one that rests on a shortcut is moved by changes beside it, or by none that is seen.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.evaluation.meanings.image_features import image_features

Array = NDArray[np.float64]


def energy_inside(changes: NDArray[Any], masks: NDArray[np.bool_]) -> Array:
    """Return the share `(n,)` of each change's squared norm that lies in its mask.

    NaN for a change of nothing. A change that is alike everywhere has the share of the mask's
    area (`masks.mean` over all but the first axis), which is the level of chance.

    Parameters
    ----------
    changes, masks
        `(n, c, [z,] y, x)`.
    """
    energy = np.square(np.asarray(changes, dtype=np.float64))
    axes = tuple(range(1, energy.ndim))
    total = energy.sum(axis=axes)
    inside = (energy * masks).sum(axis=axes)
    share: Array = np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)
    return share


def named_features(raw: NDArray[Any]) -> pd.DataFrame:
    """Measure what a biologist names first: area, elongation, total intensity.

    One row per image, `area`, `elongation` (long over short axis) and `total intensity` of each
    channel, in the units of `image_features`; NaN where there is none.

    Parameters
    ----------
    raw
        Images in grey levels `(n, c, [z,] y, x)`.
    """
    every = image_features(raw)
    columns = {}
    for area in [name for name in every if str(name).startswith("area")]:
        channel = str(area).removeprefix("area")
        minor = every[f"minor axis{channel}"]
        columns[f"area{channel}"] = every[area]
        columns[f"elongation{channel}"] = every[f"major axis{channel}"] / minor.where(minor > 0)
        columns[f"total intensity{channel}"] = every[f"total intensity{channel}"]
    return pd.DataFrame(columns)


def feature_changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return `after - before` in standard deviations of `before` over the images.

    So a change of 1 is as large as the usual difference between two images of the set; NaN where
    a feature is not defined or does not vary. Rows and columns as in `named_features`.
    """
    spread = before.std(ddof=0)
    return (after - before) / spread.where(spread > 0)
