"""Models on the same particles: a measure of each, and whether the first is not worse.

Draws take whole groups, and all models' answers on a group together, so that what makes a
particle hard for every model cancels in their difference (paired cluster bootstrap; Davison &
Hinkley 1997, Bootstrap Methods and their Application, section 3.8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples

from latentlaw.errors import DataError
from latentlaw.evaluation.scores.intervals import Interval, percentile_interval, resampled_sums

Array = NDArray[np.floating[Any]]
Measure = Literal["macro_f1", "accuracy", "balanced_accuracy", "silhouette"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
#: Fewer groups say too little of how groups vary (Cameron, Gelbach & Miller 2008, Rev. Econ. Stat.
#: 90, 414), one nothing at all: particles are drawn instead.
FEWEST_GROUPS = 10


@dataclass(frozen=True)
class Answers:
    """What one model says of particles: class names `(n,)` and latent means `(n, d)`."""

    predicted: NDArray[np.str_]
    mu: Array


@dataclass(frozen=True)
class Score:
    """A measure of one model with its 95 % interval.

    Attributes
    ----------
    particles, groups
        How many it was measured on.
    drawn
        What the bootstrap drew: whole groups, or particles where there are few groups.
    """

    measure: Measure
    value: Interval
    particles: int
    groups: int
    drawn: Literal["group", "particle"]

    @property
    def units(self) -> int:
        """How many the bootstrap drew from."""
        return self.groups if self.drawn == "group" else self.particles


@dataclass(frozen=True)
class Comparison:
    """A measure of two models on the same particles, and the first minus the second."""

    first: Score
    second: Score
    difference: Interval


def score(
    measure: Measure,
    truth: NDArray[np.str_],
    model: Answers,
    groups: NDArray[np.str_],
    *,
    seed: int = 0,
) -> Score:
    """Measure a model, with a percentile bootstrap interval.

    F1 and recall are averaged over the classes that occur. The silhouette, of latent means by
    cosine distance, is the mean of the particles' own values against all particles; draws weigh
    these, since a particle drawn twice would be its own neighbour.

    Parameters
    ----------
    measure
        One of `MEASURES`.
    truth, groups
        Class names, and what is drawn as a whole, `(n,)`.
    model
        What it says of these particles, `(n,)` and `(n, d)`.
    seed
        Of the draws.

    Raises
    ------
    DataError
        If there is no particle, or a silhouette is asked for of fewer than two classes.
    """
    return _scores(measure, truth, [model], groups, seed)[0][0]


def compare(
    measure: Measure,
    truth: NDArray[np.str_],
    first: Answers,
    second: Answers,
    groups: NDArray[np.str_],
    *,
    seed: int = 0,
) -> Comparison:
    """Measure two models on the same particles and draws.

    Parameters
    ----------
    measure
        One of `MEASURES`.
    truth, groups
        Class names, and what is drawn as a whole, `(n,)`.
    first, second
        What either model says of these particles, `(n,)` and `(n, d)`.
    seed
        Of the draws.

    Raises
    ------
    DataError
        If there is no particle, or a silhouette is asked for of fewer than two classes.
    """
    scores, draws = _scores(measure, truth, [first, second], groups, seed)
    apart = scores[0].value.mean - scores[1].value.mean
    difference = percentile_interval(apart, draws[:, 0] - draws[:, 1], units=scores[0].units)
    return Comparison(scores[0], scores[1], difference)


def is_not_worse(difference: Interval, margin: float) -> bool:
    """Say if a difference, the new model's measure minus the old one's, is at worst `-margin`.

    The test of non-inferiority at a one-sided level of 2.5 % (ICH E9, section 3.3.2): the lower
    end of the 95 % interval counts, so that few particles are no evidence.
    """
    return difference.low >= -margin


def _scores(
    measure: Measure,
    truth: NDArray[np.str_],
    models: Sequence[Answers],
    groups: NDArray[np.str_],
    seed: int,
) -> tuple[list[Score], Array]:
    """Return one score per model and the bootstrap draws `(b, models)`."""
    if not len(truth):
        raise DataError(f"{measure}: found no held-out particle to measure on, expected some")
    count = len(set(groups.tolist()))
    units = np.unique(groups, return_inverse=True)[1] if count >= FEWEST_GROUPS else None
    if measure == "silhouette":
        sums, times = _silhouettes(truth, models, units)
    else:
        sums, times = _confusions(truth, models, units)
    value = _VALUES[measure]
    found = value(np.tensordot(times, sums, axes=1))
    draws = np.concatenate([value(part) for part in resampled_sums(sums, times, seed=seed)])
    drawn: Literal["group", "particle"] = "particle" if units is None else "group"
    intervals = (
        percentile_interval(each, column, units=int(times.sum()))
        for each, column in zip(found.tolist(), draws.T, strict=True)
    )
    return [Score(measure, each, len(truth), count, drawn) for each in intervals], draws


def _confusions(
    truth: NDArray[np.str_], models: Sequence[Answers], units: NDArray[np.intp] | None
) -> tuple[Array, NDArray[np.intp]]:
    """Return confusion matrices `(u, models, k, k)` of units, and how often each unit occurs.

    Particles that all models answer alike are one unit.
    """
    names = np.unique(np.concatenate((truth, *(each.predicted for each in models))))
    answers = np.stack([truth, *(each.predicted for each in models)], axis=1)
    rows = np.searchsorted(names, answers)
    if units is None:
        rows, times = np.unique(rows, axis=0, return_counts=True)
        units = np.arange(len(rows))
    else:
        times = np.ones(units.max() + 1, dtype=np.intp)
    k = len(names)
    cells = (units[:, None] * k + rows[:, :1]) * k + rows[:, 1:]
    counts = [np.bincount(column, minlength=len(times) * k * k) for column in cells.T]
    return np.stack([each.reshape(-1, k, k) for each in counts], axis=1).astype(float), times


def _silhouettes(
    truth: NDArray[np.str_], models: Sequence[Answers], units: NDArray[np.intp] | None
) -> tuple[Array, NDArray[np.intp]]:
    """Return `(u, models, 2)`, sum and number of silhouettes a unit, and ones `(u,)`."""
    if not 2 <= len(set(truth.tolist())) < len(truth):
        raise DataError(
            f"silhouette: found {len(set(truth.tolist()))} class in {len(truth)} held-out "
            "particles, expected two or more, of more particles than classes"
        )
    units = np.arange(len(truth)) if units is None else units
    values = [silhouette_samples(model.mu, truth, metric="cosine") for model in models]
    sums = np.stack([np.bincount(units, weights=each) for each in values], axis=1)
    sizes = np.broadcast_to(np.bincount(units)[:, None], sums.shape)
    return np.stack((sums, sizes), axis=-1), np.ones(len(sums), dtype=np.intp)


def _ratios(sums: Array) -> Array:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _accuracy(counts: Array) -> Array:
    return np.asarray(np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1)))


def _balanced_accuracy(counts: Array) -> Array:
    return _mean_of_present(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts)


def _macro_f1(counts: Array) -> Array:
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return _mean_of_present(2 * hits, counts.sum(axis=-1) + counts.sum(axis=-2), counts)


def _mean_of_present(numerator: Array, denominator: Array, counts: Array) -> Array:
    """Average ratios `(…, k)` over the classes that have particles."""
    present = counts.sum(axis=-1) > 0
    ratios = np.where(present, numerator / np.where(present, denominator, 1), 0)
    return np.asarray(ratios.sum(axis=-1) / present.sum(axis=-1))


_VALUES = {
    "macro_f1": _macro_f1,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "silhouette": _ratios,
}
