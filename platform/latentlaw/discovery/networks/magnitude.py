"""Magnitude pruning with fine-tuning, down to a handful of weights.

Gradual magnitude pruning (Zhu and Gupta 2017, arXiv 1710.01878): remove the weakest weights a few
at a time and train on between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from latentlaw.discovery.networks.dense import (
    LatentNetwork,
    NetworkSpec,
    apply_masks,
    train_network,
)
from latentlaw.discovery.networks.sparse_paths import (
    count,
    flat,
    like,
    live_masks,
    strongest_paths,
    weight_matrices,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from latentlaw.discovery.latents import LatentData, LatentScaling

KEEP_PER_ROUND = 0.7


def pruned_networks(
    data: LatentData,
    scaling: LatentScaling,
    *,
    budgets: Sequence[int],
    spec: NetworkSpec,
    seed: int,
) -> Iterator[tuple[int, LatentNetwork]]:
    """Prune one network through descending `budgets` of weights.

    Yields
    ------
    budget, network
        The network is the one that goes on being pruned: copy what is to be kept.
    """
    generator = torch.Generator().manual_seed(seed)
    net = LatentNetwork((len(scaling.kept), *spec.hidden, data.classes), generator)
    train_network(net, data, scaling, spec=spec, generator=generator)
    tune = replace(spec, epochs=max(20, spec.epochs // 8), patience=15, weight_decay=0.0)
    final = replace(spec, weight_decay=1e-4)
    masks = [torch.ones_like(w) for w in weight_matrices(net)]
    for budget in budgets:
        while count(masks) > budget:
            keep = max(budget, int(count(masks) * KEEP_PER_ROUND))
            masks = prune(weight_matrices(net), masks, keep)
            apply_masks(net, masks)
            train_network(net, data, scaling, spec=tune, generator=generator, masks=masks)
        train_network(net, data, scaling, spec=final, generator=generator, masks=masks)
        yield budget, net


def prune(weights: Sequence[Tensor], masks: Sequence[Tensor], keep: int) -> list[Tensor]:
    """Return masks of at most `keep` weights: a strongest path for each class, then by magnitude.

    Weights whose unit would have no input or no output are passed over for the next strongest.

    Parameters
    ----------
    weights, masks
        Matrices `(out, in)` of each layer, first to last.
    keep
        Weights to keep, of all layers together.
    """
    fixed = flat(strongest_paths(weights, masks, keep)).bool()
    allowed = [m.clone() for m in masks]
    for _ in range(len(weights) * 4):
        sizes = flat([w.abs() * a for w, a in zip(weights, allowed, strict=True)])
        rank = torch.where(fixed, torch.inf, sizes)
        picked = torch.zeros_like(rank)
        picked[rank.topk(min(keep, int((rank > 0).sum()))).indices] = 1.0
        result = like(picked, weights)
        live = live_masks(result)
        if all(torch.equal(a, b) for a, b in zip(live, result, strict=True)):
            return result
        lost = [(r > 0) & (a == 0) for r, a in zip(result, live, strict=True)]
        allowed = [a * ~dead for a, dead in zip(allowed, lost, strict=True)]
    return live
