"""Classes never trained on: told from known ones, and placed near their relatives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, rankdata, spearmanr
from sklearn.metrics import roc_auc_score

Array = NDArray[np.floating[Any]]
STATED_RATE = 0.05  # of known particles that are called new


def novelty_auroc(known: Array, unseen: Array) -> float | None:
    """Probability that a particle of an unseen class scores as more novel than a known one.

    Parameters
    ----------
    known, unseen
        Novelty scores `(n,)` and `(m,)`; None is returned where one is empty.
    """
    if not len(known) or not len(unseen):
        return None
    truth = np.concatenate((np.zeros(len(known)), np.ones(len(unseen))))
    return float(roc_auc_score(truth, np.concatenate((known, unseen))))


def detection_rates(known: Array, unseen: Array, calibrated_on: int) -> dict[str, float]:
    """Say how often particles are called new at a stated false-positive rate of 5 %.

    Parameters
    ----------
    known, unseen
        Novelty of held-out particles of classes that were trained on, `(n,)`, and of others.
    calibrated_on
        Number of calibration particles.

    Returns
    -------
    dict
        `novelty/false_positive_rate`, the share of known particles that are called new;
        `novelty/false_positive_limit`, what it exceeds in one of 40 draws of as many calibration
        and test particles if all are exchangeable (a beta-binomial, Angelopoulos & Bates 2021,
        arXiv 2107.07511, section 3);
        `novelty/detection_rate`, the share of unseen ones. Those of no particles are left out.
    """
    rates = {}
    if len(known):
        rates["novelty/false_positive_rate"] = float((known > 1 - STATED_RATE).mean())
        ranks = int((np.arange(calibrated_on + 1) / (calibrated_on + 1) > 1 - STATED_RATE).sum())
        limit = 0.0
        if ranks:
            draws = betabinom(len(known), ranks, calibrated_on + 1 - ranks)
            limit = float(draws.ppf(0.975)) / len(known)
        rates["novelty/false_positive_limit"] = limit
    if len(unseen):
        rates["novelty/detection_rate"] = float((unseen > 1 - STATED_RATE).mean())
    return rates


def placement_scores(learned: Array, prior: Array, seen: int) -> dict[str, float]:
    """Say whether unseen classes lie where the prior puts them.

    Parameters
    ----------
    learned
        Mean latent cosine of each two classes `(k, k)`, NaN where a class has no particle; the
        first `seen` classes were trained on, the others were not.
    prior
        Similarities of the same classes `(k, k)`.
    seen
        Number of classes that were trained on.

    Returns
    -------
    dict
        `novelty/affinity_spearman`, the rank correlation over pairs with an unseen class (three
        at least), and `novelty/relative_rank`: where the trained class that is most similar by
        the prior comes among the trained classes by latent cosine, 1 the best, the mean over
        unseen classes. Of trained classes that are tied in the prior, the best placed counts.
        What the classes do not allow is left out.
    """
    rows, columns = np.triu_indices(len(prior), k=1)
    pairs = (columns >= seen) & np.isfinite(learned[rows, columns])
    found, wanted = learned[rows, columns][pairs], prior[rows, columns][pairs]
    scores = {}
    if len(found) >= 3 and np.ptp(wanted) > 0 and np.ptp(found) > 0:
        scores["novelty/affinity_spearman"] = float(spearmanr(found, wanted).statistic)
    ranks = [
        _relative_rank(learned[unseen, :seen], prior[unseen, :seen])
        for unseen in range(seen, len(prior))
        if np.isfinite(learned[unseen, :seen]).any()
    ]
    if ranks:
        scores["novelty/relative_rank"] = float(np.mean(ranks))
    return scores


def _relative_rank(found: Array, wanted: Array) -> float:
    present = np.isfinite(found)
    found, wanted = found[present], wanted[present]
    nearest = np.isclose(wanted, wanted.max())
    return float(rankdata(-found, method="average")[nearest].min())
