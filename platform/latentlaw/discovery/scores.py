"""Scores of predicted class logits against labels, each defined for absent classes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def head_logits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return class logits `(n, K)` of values `(n, H)` of the heads.

    One head per class is its logit; a single head is the log-odds of the second of two classes.
    """
    return np.concatenate([-values, values], 1) / 2 if values.shape[1] == 1 else values


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log-probabilities `(n, K)` of `logits` `(n, K)`."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def log_losses(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cross-entropy `-log p(label)` of each particle, `(n,)`."""
    losses: NDArray[np.float64] = -log_softmax(logits)[np.arange(len(labels)), labels]
    return losses


def particle_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a weight `(n,)` per particle, `n / (K n_k)`: the `K` classes seen count alike."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = len(labels) / (len(counts) * counts[classes])
    return weights


def balanced_log_loss(
    logits: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.floating]
) -> float:
    """Return the mean cross-entropy of particles that weigh as their class does.

    Parameters
    ----------
    logits, labels
        `(n, K)` and `(n,)`.
    weights
        Of each class, `(K,)`.
    """
    return float(np.average(log_losses(logits, labels), weights=weights[labels]))


def accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the share of particles whose predicted class is theirs; class indices `(n,)`."""
    return float((predicted == labels).mean())


def macro_f1(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the mean over classes seen in either array of `2 TP / (2 TP + FP + FN)`.

    Both arrays are class indices `(n,)`.

    Examples
    --------
    >>> round(macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])), 3)
    0.733
    """
    scores = []
    for k in np.union1d(predicted, labels):
        hits = ((predicted == k) & (labels == k)).sum()
        scores.append(2 * hits / ((predicted == k).sum() + (labels == k).sum()))
    return float(np.mean(scores))


def balanced_accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the mean recall over the classes that `labels` holds; class indices `(n,)`."""
    return float(np.mean([(predicted[labels == k] == k).mean() for k in np.unique(labels)]))


def one_vs_rest_accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64], k: int) -> float:
    """Return how often the decision "is class `k` or is not" is right; class indices `(n,)`."""
    return float(((predicted == k) == (labels == k)).mean())
