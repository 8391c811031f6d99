"""The affinity term: latent cosines follow the prior similarity of the classes."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

UNLABELLED = -1


def affinity_loss(mu: Tensor, labels: Tensor, affinity: Tensor) -> Tensor:
    """`mean_{i<j} |cos(mu_i, mu_j) - A[c_i, c_j]|` over labelled pairs (arXiv 2209.04517).

    One matrix product instead of a list of pairs; a batch with fewer than two labelled
    particles gives 0.

    Parameters
    ----------
    mu
        Latent means `(n, d)`.
    labels
        Class indices `(n,)`; `UNLABELLED` particles are left out.
    affinity
        Symmetric `(classes, classes)` in [-1, 1].

    Examples
    --------
    >>> affinity = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    >>> affinity_loss(torch.eye(2), torch.tensor([0, 1]), affinity)  # the cosine is 0
    tensor(0.5000)
    """
    known = labels != UNLABELLED
    unit = normalize(mu[known], dim=-1)
    classes = labels[known]
    if len(classes) < 2:
        return mu.sum() * 0.0
    difference = (unit @ unit.T - affinity[classes][:, classes]).abs()
    pairs = len(classes) * (len(classes) - 1)
    return (difference.sum() - difference.diagonal().sum()) / pairs


def class_cosines(mu: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean latent cosine between each two classes, `(classes, classes)`; NaN where one is empty.

    The mean over pairs of unit vectors is the product of the classes' mean unit vectors; pairs of
    a particle with itself are taken out of the diagonal.
    """
    unit = normalize(mu, dim=-1)
    members = torch.nn.functional.one_hot(labels, classes).to(unit)  # (n, classes)
    counts = members.sum(0)
    sums = members.T @ unit
    totals = sums @ sums.T - torch.diag(counts)
    pairs = torch.outer(counts, counts) - torch.diag(counts)
    return torch.where(pairs > 0, totals / pairs.clamp_min(1), torch.nan)
