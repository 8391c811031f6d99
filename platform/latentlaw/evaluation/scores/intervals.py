"""Scores with bootstrap intervals: of folds and seeds, or of the units that particles come in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Array = NDArray[np.float64]
_LEVEL = 0.95
_DRAWS = 10_000
_SEED = 0
_BLOCK = 2**23  # numbers of draws in memory at once


@dataclass(frozen=True)
class Interval:
    """A mean or another score, and between which values it lies in 95 % of bootstrap draws."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_interval(scores: Array) -> Interval:
    """Return the mean of scores `(n,)` and its percentile bootstrap interval (Efron 1979)."""
    return ratio_interval(scores, np.ones_like(scores))


def ratio_interval(scores: Array, baseline: Array) -> Interval:
    """Return `mean(scores) / mean(baseline)` with its interval; draws take both of a fold.

    Parameters
    ----------
    scores, baseline
        Of the same folds, `(n,)`. Folds share training data, so that they vary together and the
        interval is somewhat narrow.
    """
    rows = np.random.default_rng(_SEED).integers(len(scores), size=(_DRAWS, len(scores)))
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = scores[rows].mean(axis=1) / baseline[rows].mean(axis=1)
        mean = scores.mean() / baseline.mean()
    return percentile_interval(mean, draws)


def percentile_interval(
    score: float, draws: NDArray[np.floating[Any]], *, units: int | None = None
) -> Interval:
    """Return a score with the interval of its bootstrap draws `(b,)`.

    Parameters
    ----------
    score
        Of all that was measured.
    draws
        The same score of each draw, `(b,)`.
    units
        How many units were drawn from: the interval is then expanded as Student's t is wider than
        the normal distribution, since that of few units is too narrow (Hesterberg 2015, Am. Stat.
        69, 371).
    """
    tail = (1 - _LEVEL) / 2
    if units is not None and units > 1:
        tail = float(norm.cdf(np.sqrt(units / (units - 1)) * t.ppf(tail, units - 1)))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(score), float(low), float(high))


def resampled_sums(
    sums: NDArray[np.floating[Any]], times: NDArray[np.intp], *, seed: int = 0
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield, block by block, sums `(b, …)` over bootstrap draws of as many units as there are.

    Parameters
    ----------
    sums
        What each kind of unit adds, `(u, …)`.
    times
        How many units there are of each kind, `(u,)`.
    seed
        Of the draws.
    """
    generator = np.random.default_rng(seed)
    block = max(1, min(_DRAWS, _BLOCK // max(len(times), sums[0].size)))
    for start in range(0, _DRAWS, block):
        size = min(block, _DRAWS - start)
        drawn = generator.multinomial(times.sum(), times / times.sum(), size=size)
        yield np.tensordot(drawn.astype(np.float64), sums, axes=1)
