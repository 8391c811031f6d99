"""How disentangled latents are, where the factors that made the images are known.

Each measure is 1 where every latent is one factor and every factor in one latent, and 0 where
latents say nothing. They do not depend on the order, sign or scale of latents.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mutual_info_score, r2_score
from sklearn.model_selection import train_test_split

from latentlaw.errors import DataError
from latentlaw.evaluation.embed import check_finite

Array = NDArray[np.floating[Any]]
_TREES, _LEAF = 30, 5
_BINS = 20  # of a latent or a factor


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness, each from 0 to 1."""

    disentanglement: float
    completeness: float
    informativeness: float


def disentanglement_scores(
    codes: Array, factors: pd.DataFrame, *, seed: int = 0
) -> dict[str, float]:
    """Return MIG, DCI and SAP of latents, by name.

    Parameters
    ----------
    codes
        Latent means `(n, d)`.
    factors
        What made the images, numbers in order: `n` rows, one column per factor.
    seed
        Of the forests of DCI, and of the half that they are fitted on.

    Raises
    ------
    DataError
        If rows do not match, a value is not finite, or a factor is constant.
    """
    _check(codes, factors)
    values = factors.to_numpy(dtype=np.float64)
    parts = dci(codes, values, seed=seed)
    return {
        "disentanglement/mig": mutual_information_gap(codes, values),
        "disentanglement/dci_disentanglement": parts.disentanglement,
        "disentanglement/dci_completeness": parts.completeness,
        "disentanglement/dci_informativeness": parts.informativeness,
        "disentanglement/sap": separated_predictability(codes, values),
    }


def mutual_information_gap(codes: Array, factors: Array) -> float:
    """Mean over factors of the gap between the two latents that tell most of a factor.

    `MIG = 1/K sum_k (I(z_a; v_k) - I(z_b; v_k)) / H(v_k)` with `a` and `b` the first and second
    latent by mutual information (Chen et al. 2018, arXiv 1802.04942, section 4.1). Latents are
    their means, binned as in Locatello et al. 2019 but by quantiles, so that only order counts.
    Every estimate is too high by about `(bins - 1)^2 / 2n` nats, which the gap cancels unless one
    of the two is near the entropy of the factor.

    Parameters
    ----------
    codes, factors
        `(n, d)` and `(n, k)`.
    """
    latents, truths = _binned(codes), _binned(factors)
    information = np.array([[mutual_info_score(z, v) for v in truths.T] for z in latents.T])
    entropy = np.array([mutual_info_score(v, v) for v in truths.T])
    return float((_gaps(information) / entropy).mean())


def separated_predictability(codes: Array, factors: Array) -> float:
    """Mean over factors of the gap between the two latents that predict a factor best.

    The SAP score of continuous factors: a latent's score is the squared correlation, R^2 of the
    linear regression of the factor on it (Kumar et al. 2018, arXiv 1711.00848, section 3). A
    constant latent predicts nothing.

    Parameters
    ----------
    codes, factors
        `(n, d)` and `(n, k)`.
    """
    covariances = _standardised(codes).T @ _standardised(factors) / len(codes)
    return float(_gaps(covariances**2).mean())


def dci(codes: Array, factors: Array, *, seed: int = 0) -> DCI:
    """Return how far each latent serves one factor, and each factor needs one latent.

    From importances `R` `(d, k)` of latents in random forests that predict the factors (Eastwood &
    Williams 2018, section 2): disentanglement is the mean over latents, weighted by their sum of
    `R`, of `1 - H_k(R_i. / sum_k R_ik)`; completeness that over factors of
    `1 - H_d(R_.j / sum_d R_dj)`, both with entropies whose largest value is 1. Informativeness is
    here the mean `R^2` of the forests on the half of images that they were not fitted on.

    Parameters
    ----------
    codes, factors
        `(n, d)` and `(n, k)`.
    seed
        Of the forests, and of the half that they are fitted on.
    """
    fitted, held_out = train_test_split(np.arange(len(codes)), test_size=0.5, random_state=seed)
    importances = np.zeros((codes.shape[1], factors.shape[1]))
    explained = np.zeros(factors.shape[1])
    for k, truth in enumerate(factors.T):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=_LEAF, random_state=seed)
        forest.fit(codes[fitted], truth[fitted])
        importances[:, k] = forest.feature_importances_
        explained[k] = max(0.0, r2_score(truth[held_out], forest.predict(codes[held_out])))
    served, total = importances.sum(axis=1), importances.sum()
    weights = served / total if total else served
    return DCI(
        disentanglement=float(weights @ _purity(importances)),
        completeness=float(_purity(importances.T).mean()),
        informativeness=float(explained.mean()),
    )


def _gaps(scores: Array) -> Array:
    """First less second best of latents for each factor, `(d, k)` to `(k,)`."""
    ranked = np.sort(np.vstack((scores, np.zeros_like(scores[:1]))), axis=0)
    gaps: Array = ranked[-1] - ranked[-2]
    return gaps


def _purity(importances: Array) -> Array:
    """1 less the normalised entropy of each row `(a, b)`; 0 for a row of zeros."""
    sums = importances.sum(axis=1, keepdims=True)
    shares = np.divide(importances, sums, out=np.zeros_like(importances), where=sums > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    most = np.log(max(2, importances.shape[1]))
    purity: Array = np.where(sums[:, 0] > 0, 1 + (shares * logs).sum(axis=1) / most, 0.0)
    return purity


def _binned(values: Array) -> NDArray[np.intp]:
    """Bin each column `(n, a)` at its quantiles."""
    edges = np.quantile(values, np.arange(1, _BINS) / _BINS, axis=0)
    columns = zip(edges.T, values.T, strict=True)
    return np.stack([np.searchsorted(e, v, side="right") for e, v in columns], axis=1)


def _standardised(values: Array) -> Array:
    """Columns of mean 0 and standard deviation 1; constant ones 0."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    deviation = centred.std(axis=0)
    constant = deviation <= 1e-12 * np.abs(values).max(axis=0, initial=0)
    standard: Array = np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation))
    return standard


def _check(codes: Array, factors: pd.DataFrame) -> None:
    if len(codes) != len(factors):
        raise DataError(
            f"factors: found {len(factors)} rows for {len(codes)} images, expected one each"
        )
    check_finite(codes)
    for name in factors:
        values = factors[name].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"factor {name!r}: found NaN or infinite values; leave those rows out")
        if np.ptp(values) == 0:
            raise DataError(f"factor {name!r}: found {values[0]:g} in every row; leave it out")
