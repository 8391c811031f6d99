"""Gradient-boosted trees on latents, the rung of small decision rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from latentlaw.discovery.scores import balanced_log_loss
from latentlaw.discovery.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latentlaw.discovery.latents import LatentData

ROUNDS = 100
LEAVES = 8
FEWEST_IN_A_LEAF = 5


@dataclass(frozen=True)
class BoostedTrees:
    """Trees whose values add up to logits: in each round one per class, of two classes one."""

    trees: HistGradientBoostingClassifier

    @property
    def complexity(self) -> int:
        """Nodes of all trees, splits and leaves."""
        # Scikit-learn keeps the trees of this estimator in a private attribute only.
        return sum(len(tree.nodes) for stage in self.trees._predictors for tree in stage)

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, K)` of latents `(n, d)`."""
        return _two_sided(self.trees.decision_function(np.asarray(latents, dtype=np.float64)))


@one_thread()
def fit_boosting(data: LatentData, *, seed: int = 0) -> BoostedTrees:
    """Fit gradient-boosted trees (Friedman 2001), their number chosen by validation log-loss."""

    def fitted(rounds: int) -> HistGradientBoostingClassifier:
        model = HistGradientBoostingClassifier(
            max_iter=rounds,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=FEWEST_IN_A_LEAF,
            early_stopping=False,
            random_state=seed,
        )
        weights = data.class_weights[data.train.labels]
        return model.fit(data.train.latents.astype(np.float64), data.train.labels, weights)

    stages = fitted(ROUNDS).staged_decision_function(data.val.latents.astype(np.float64))
    losses = [
        balanced_log_loss(_two_sided(stage), data.val.labels, data.class_weights)
        for stage in stages
    ]
    # The trees of fewer rounds are the first of those of more.
    return BoostedTrees(fitted(int(np.argmin(losses)) + 1))


def _two_sided(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logits `(n, K)`; of two classes the first one's is the zero reference."""
    return np.stack([0 * scores, scores], axis=1) if scores.ndim == 1 else scores
