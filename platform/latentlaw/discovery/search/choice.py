"""Choose between models by cross-validation, with the one-standard-error rule.

Breiman et al. 1984, section 3.4.3: of the models whose cross-validated loss is within one standard
error of the lowest, take the simplest.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from latentlaw.discovery.pareto import pareto_front
from latentlaw.discovery.search.refit import Heads, Objective, Sample, head_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FOLDS = 5
ERRORS_ALLOWED = 1.0


@dataclass(frozen=True, eq=False)
class Assembled:
    """One expression per head, their nodes, and the cross-validated loss `(n,)` per particle."""

    heads: Heads
    complexity: int
    losses: NDArray[np.float64]

    @property
    def size_and_loss(self) -> tuple[int, float]:
        """Nodes and mean loss, by which models are compared."""
        return self.complexity, float(self.losses.mean())


def draw_folds(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64] | None = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Return a fold `(n,)` for each particle: classes spread evenly, a group never split.

    Fewer folds are drawn where there are fewer particles or groups than `folds`, but two at least:
    a single group is split, since nothing else can be held out.
    """
    units = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    known = int(units.max()) + 1
    if known == 1:
        return np.arange(len(labels)) % 2
    count = max(2, min(folds, known))
    if np.bincount(labels).max() < count:  # too few of every class to spread
        return np.asarray(units % count, dtype=np.int64)
    fold_of = np.zeros(len(labels), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer particles than folds
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        splitter = kind(count, shuffle=True, random_state=seed)
        for k, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
            fold_of[rows] = k
    return fold_of


def out_of_fold_values(
    heads: Heads, sample: Sample, fold_of: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the heads' values `(n, H)`, each particle's by constants fitted without its fold."""
    objective = Objective(heads, sample)
    if not len(objective.start):
        return head_values(heads, sample)
    values = np.empty((len(sample), len(heads)))
    for fold in np.unique(fold_of):
        held = fold_of == fold
        theta = objective.use(sample.take(~held)).minimise(objective.start)
        values[held] = objective.use(sample.take(held)).values(theta)
    return values


def choose(models: Sequence[Assembled], errors: float = ERRORS_ALLOWED) -> Assembled:
    """Return the smallest model whose loss is within `errors` standard errors of the lowest.

    The standard error is that of the mean difference to the best model, particle by particle,
    which leaves out what is hard for every model. A model that another of as few nodes beats is
    never taken, however uncertain its loss is.
    """
    front = pareto_front(models, lambda model: model.size_and_loss)
    best = front[-1]
    for model in front:
        worse = model.losses - best.losses
        error = float(worse.std(ddof=1)) / len(worse) ** 0.5 if len(worse) > 1 else 0.0
        if float(worse.mean()) <= errors * error:
            return model
    return best
