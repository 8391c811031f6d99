"""Peaks of a score that was taken on a grid of windows, and what counts as one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, generate_binary_structure, maximum_filter
from scipy.spatial import cKDTree
from scipy.stats import norm

Scores = NDArray[np.floating[Any]]
_ROUNDS = 10  # of setting background and peaks apart; two or three do


@dataclass(frozen=True)
class Background:
    """The score of windows that hold no particle, taken to be normal."""

    mean: float
    deviation: float
    windows: int

    @property
    def threshold(self) -> float:
        """Standard deviations above the mean that one window in all should reach by chance."""
        return float(norm.isf(1 / max(self.windows, 2)))

    def standardise(self, scores: Scores) -> Scores:
        """Return scores of any shape in standard deviations from the mean."""
        return np.asarray((scores - self.mean) / self.deviation)


def local_maxima(scores: Scores) -> NDArray[np.int64]:
    """Return the places `(n, 3)` of a score `(z, y, x)` that none of their six neighbours exceeds.

    NaN is never a peak.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    cross = generate_binary_structure(scores.ndim, 1)
    highest = maximum_filter(known, footprint=cross, mode="nearest")
    return np.argwhere((known == highest) & np.isfinite(known))


def find_background(
    scores: Scores, peaks: NDArray[np.int64], radius: float, threshold: float | None
) -> Background:
    """Fit the background to the windows of a score `(z, y, x)` that no particle reaches into.

    These are all windows further than `radius` from a peak above the threshold, which needs the
    background: so both are found in turns, from the median and the median absolute deviation.

    Parameters
    ----------
    scores
        Of the windows, `(z, y, x)`.
    peaks
        Of the score, `(n, 3)`.
    radius
        In steps of the grid.
    threshold
        In standard deviations; None: the background's own.
    """
    known = np.isfinite(scores)
    values, count = scores[known], int(known.sum())
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))  # of a normal, its deviation
    background = Background(middle, max(spread, 1e-12), count)
    heights = scores[tuple(peaks.T)]
    before = None
    for _ in range(_ROUNDS):
        limit = background.threshold if threshold is None else threshold
        high = background.standardise(heights) > limit
        if before is not None and (high == before).all():
            break
        before = high
        bare = np.ones(scores.shape, bool)
        bare[tuple(peaks[high].T)] = False
        away = known & (distance_transform_edt(bare) > radius) if high.any() else known
        if away.sum() < count / 10:  # crowded: what is left is no sample of the background
            break
        spread = max(float(scores[away].std()), 1e-12)
        background = Background(float(scores[away].mean()), spread, count)
    return background


def apart(places: Scores, heights: Scores, distance: float) -> NDArray[np.int64]:
    """Return which places `(n, 3)` to keep, highest first: none is nearer to a higher one kept."""
    tree, order = cKDTree(places), np.argsort(-heights, kind="stable")
    free, kept = np.ones(len(places), bool), []
    for i in order.tolist():
        if free[i]:
            kept.append(i)
            free[tree.query_ball_point(places[i], distance)] = False
    return np.array(kept, np.int64)
