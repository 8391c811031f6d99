"""Mean and interval of scores over the folds and seeds of a cross-validation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LEVEL = 0.95
_DRAWS = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean, and between which values it lies in 95 % of bootstrap draws."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_interval(scores: Array, *, seed: int = 0) -> Interval:
    """Return the mean of scores `(n,)` and its percentile bootstrap interval (Efron 1979)."""
    return ratio_interval(scores, np.ones_like(scores), seed=seed)


def ratio_interval(scores: Array, baseline: Array, *, seed: int = 0) -> Interval:
    """Return `mean(scores) / mean(baseline)` with its interval; draws take both of a fold.

    Parameters
    ----------
    scores, baseline
        Of the same folds, `(n,)`. Folds share training data, so that they vary together and the
        interval is somewhat narrow.
    """
    rows = np.random.default_rng(seed).integers(len(scores), size=(_DRAWS, len(scores)))
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = scores[rows].mean(axis=1) / baseline[rows].mean(axis=1)
        mean = scores.mean() / baseline.mean()
    low, high = np.quantile(draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(mean), float(low), float(high))
