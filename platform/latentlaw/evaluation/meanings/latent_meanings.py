"""What each latent means: the plain image feature that it follows, where there is one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from latentlaw.errors import DataError
from latentlaw.evaluation.embed import Embedding, check_finite
from latentlaw.evaluation.meanings.image_features import feature_of
from latentlaw.losses.divergence import kl_by_dimension

NAMED_FROM = 0.7  # |r|: about half of the variance of ranks is shared
FALSE_NAMES = 0.05  # probability that chance gives any latent a name
COLLAPSED_BELOW_NATS = 0.1  # then the posterior is about the prior, whatever the image
_FEWEST = 10  # images; p values of fewer are too low by more than a factor of two


@dataclass(frozen=True)
class Meaning:
    """How one latent goes with each feature.

    Attributes
    ----------
    kl_nats
        Mean KL divergence from the prior; None for a model without one.
    collapsed
        Whether the latent says nothing of the image; then it is not named.
    correlations
        Spearman's r by feature, NaN where a feature or the latent is constant, or known of less
        than ten images.
    feature
        The feature that names it, None where no correlation is high enough.
    """

    latent: str
    kl_nats: float | None
    collapsed: bool
    correlations: dict[str, float]
    feature: str | None

    @property
    def text(self) -> str | None:
        """As in `eccentricity, r = -0.91`, `x (nuisance), r = 0.84` or `collapsed, KL 0.020 nats`.

        None where it is none of these.
        """
        if self.collapsed:
            return f"collapsed, KL {self.kl_nats:.3f} nats"
        if self.feature is None:
            return None
        kind = " (nuisance)" if feature_of(self.feature).nuisance else ""
        return f"{self.feature}{kind}, r = {self.correlations[self.feature]:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the record of `latents.json`."""
        known = None if self.feature is None else feature_of(self.feature)
        return {
            "latent": self.latent,
            "meaning": self.text,
            "feature": self.feature,
            "correlation": None if self.feature is None else self.correlations[self.feature],
            "unit": None if known is None else known.unit,
            "nuisance": None if known is None else known.nuisance,
            "kl_nats": self.kl_nats,
            "collapsed": self.collapsed,
            "correlations": self.correlations,
        }


def latent_meanings(
    codes: Embedding, features: pd.DataFrame, *, variational: bool = True
) -> list[Meaning]:
    """Name latents `z0, z1, …` by the features that they go with, best on images not trained on.

    A latent is named by the feature of the highest |r| (Spearman, over the images that have it),
    if that is at least `NAMED_FROM` and no chance: p values are Bonferroni-corrected for all pairs
    of latents and features. A nuisance can name a latent too: then it is one.

    Parameters
    ----------
    codes
        Of the images that `features` measures, row by row.
    features
        Of `image_features`: a row for each image, NaN where it has no such value.
    variational
        Whether latents have a posterior, so that they can collapse to the prior.

    Raises
    ------
    DataError
        If a latent holds NaN or infinite values, or rows do not match.
    """
    if len(codes.mu) != len(features):
        raise DataError(
            f"features: found {len(features)} rows for {len(codes.mu)} images, expected one each"
        )
    check_finite(codes.mu)
    kl: list[float | None] = [None] * codes.mu.shape[1]
    if variational:
        kl = kl_by_dimension(torch.from_numpy(codes.mu), torch.from_numpy(codes.logvar)).tolist()
    p_allowed = FALSE_NAMES / max(1, codes.mu.shape[1] * features.shape[1])
    return [
        _meaning(f"z{i}", latent, nats, features, p_allowed)
        for i, (latent, nats) in enumerate(zip(codes.mu.T, kl, strict=True))
    ]


def _meaning(
    latent: str,
    values: NDArray[np.floating[Any]],
    kl_nats: float | None,
    features: pd.DataFrame,
    p_allowed: float,
) -> Meaning:
    found = {str(name): _spearman(values, features[name].to_numpy()) for name in features}
    correlations = {name: r for name, (r, _) in found.items()}
    collapsed = kl_nats is not None and kl_nats < COLLAPSED_BELOW_NATS
    high = [name for name, (r, p) in found.items() if abs(r) >= NAMED_FROM and p <= p_allowed]
    feature = max(high, key=lambda name: abs(correlations[name]), default=None)
    return Meaning(latent, kl_nats, collapsed, correlations, None if collapsed else feature)


def _spearman(
    latent: NDArray[np.floating[Any]], feature: NDArray[np.floating[Any]]
) -> tuple[float, float]:
    """Return r and its p value over rows where the feature is defined; NaN for constants."""
    rows = np.isfinite(feature)
    a, b = latent[rows], feature[rows]
    if len(a) < _FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan, np.nan
    result = spearmanr(a, b)
    return float(result.statistic), float(result.pvalue)
