"""Divergences of a diagonal Gaussian posterior from the unit Gaussian prior, in nats."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

TCEstimator = Literal["stratified", "weighted"]


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Mean over particles of KL(N(mu, exp(logvar)) || N(0, 1)), summed over dimensions.

    `-1/2 sum_d (1 + logvar - mu^2 - exp(logvar))` (Kingma & Welling 2014, appendix B).

    Parameters
    ----------
    mu, logvar
        `(n, d)`.

    Examples
    --------
    >>> float(kl_divergence(torch.zeros(3, 2), torch.zeros(3, 2)))  # the prior itself
    0.0
    >>> float(kl_divergence(torch.ones(3, 2), torch.zeros(3, 2)))
    1.0
    """
    return kl_by_dimension(mu, logvar).sum()


def kl_by_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """Mean over particles of the KL divergence of each dimension, `(d,)`; 0 means collapsed."""
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean(dim=0)


@dataclass(frozen=True)
class KLTerms:
    """The three parts of the aggregate KL divergence, scalars in nats."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def decompose_kl(
    z: Tensor,
    mu: Tensor,
    logvar: Tensor,
    dataset_size: int,
    estimator: TCEstimator = "stratified",
) -> KLTerms:
    """Split KL into mutual information, total correlation and dimension-wise KL.

    The parts of Chen et al. 2018 (arXiv 1802.04942, eq. 2). The density of the aggregate
    posterior at z_i is a weighted sum over the posteriors of the batch:

    * `stratified`: the particle's own posterior counts 1/N, and the M - 1 others stand evenly for
      the remaining N - 1 (their appendix C.2 weighs strata likewise). Weights sum to 1.
    * `weighted`: each counts 1/(N M), their minibatch-weighted sampling (appendix C.1). Weights
      sum to 1/N, so mutual information is too high by `log N`, total correlation by
      `(d - 1) log N`, and dimension-wise KL too low by `d log N`, whatever the posteriors.

    Parameters
    ----------
    z, mu, logvar
        Samples and parameters of the posterior, `(M, d)`.
    dataset_size
        Number N of training particles.
    estimator
        How the posteriors of a batch are weighed, as above.
    """
    pairwise = gaussian_log_density(z[:, None], mu[None], logvar[None])  # (M, M, d)
    log_weight = _log_weights(len(z), dataset_size, estimator).to(z)
    log_q = (pairwise.sum(-1) + log_weight).logsumexp(dim=1)
    log_q_product = (pairwise + log_weight[..., None]).logsumexp(dim=1).sum(-1)
    log_q_given_x = gaussian_log_density(z, mu, logvar).sum(-1)
    log_prior = gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(-1)
    return KLTerms(
        mutual_information=(log_q_given_x - log_q).mean(),
        total_correlation=(log_q - log_q_product).mean(),
        dimension_wise=(log_q_product - log_prior).mean(),
    )


def _log_weights(batch: int, dataset_size: int, estimator: TCEstimator) -> Tensor:
    """Log weights `(M, M)` of each posterior (columns) in the density at each sample (rows)."""
    if estimator == "weighted":
        return torch.full((batch, batch), -math.log(dataset_size * batch))
    if batch < 2:
        return torch.zeros(batch, batch)
    others = (1 - 1 / dataset_size) / (batch - 1)
    weights = torch.full((batch, batch), others)
    return weights.fill_diagonal_(1 / dataset_size).log()


def gaussian_log_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of `z` under N(mu, exp(logvar)), element by element, in nats.

    All have one shape, or shapes that broadcast.
    """
    return -0.5 * (math.log(2 * math.pi) + logvar + (z - mu).square() * (-logvar).exp())
