"""How well classes separate in the latent space, and whether they lie as the prior says."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from latentlaw.losses.affinity import class_cosines

Array = NDArray[np.floating[Any]]


def separation_scores(mu: Array, labels: NDArray[np.str_]) -> dict[str, float]:
    """Return the separation of labelled latent means; empty where it is undefined.

    Silhouette uses cosine distance, as the affinity does; Davies-Bouldin and Calinski-Harabasz
    use the Euclidean distance of unit vectors, for the same reason.

    Parameters
    ----------
    mu
        Latent means `(n, d)`.
    labels
        Class names `(n,)`.
    """
    classes = len(set(labels))
    if classes < 2 or classes >= len(labels):
        return {}
    unit = mu / np.maximum(np.linalg.norm(mu, axis=1, keepdims=True), 1e-12)
    return {
        "separation/silhouette": float(silhouette_score(mu, labels, metric="cosine")),
        "separation/davies_bouldin": float(davies_bouldin_score(unit, labels)),
        "separation/calinski_harabasz": float(calinski_harabasz_score(unit, labels)),
    }


def learned_affinity(mu: Array, labels: NDArray[np.str_], class_names: list[str]) -> Array:
    """Mean latent cosine of each two classes, `(classes, classes)`; NaN where one is absent."""
    index = torch.tensor([class_names.index(label) for label in labels])
    cosines = class_cosines(torch.as_tensor(mu, dtype=torch.float64), index, len(class_names))
    return np.asarray(cosines.numpy())


def affinity_spearman(learned: Array, prior: Array) -> float | None:
    """Spearman's rank correlation of learned and prior similarity over pairs of different classes.

    Parameters
    ----------
    learned, prior
        `(classes, classes)`, in one order; NaN in `learned` where a class has no particle. None is
        returned with fewer than three defined pairs, or a prior that is constant over them.
    """
    upper = np.triu_indices(len(prior), k=1)
    found, wanted = learned[upper], prior[upper]
    defined = np.isfinite(found)
    if defined.sum() < 3 or np.ptp(wanted[defined]) == 0:
        return None
    return float(spearmanr(found[defined], wanted[defined]).statistic)


def affinity_residual(learned: Array, prior: Array) -> float | None:
    """Affinity loss of the mean latent cosines of classes: the mean of `|learned - prior|`.

    Over pairs of different classes of which both have particles, None without any. It compares
    with `AffinityTable.floor`, below which no latents come.

    Parameters
    ----------
    learned, prior
        `(classes, classes)`, in one order; NaN in `learned` where a class has no particle.
    """
    pairs = ~np.eye(len(prior), dtype=bool) & np.isfinite(learned)
    return float(np.abs(learned - prior)[pairs].mean()) if pairs.any() else None
