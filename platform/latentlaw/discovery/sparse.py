"""Sparse networks: magnitude pruning with fine-tuning, down to a handful of weights.

Gradual magnitude pruning (Zhu and Gupta 2017, arXiv 1710.01878): remove the weakest weights a few
at a time and train on between. Complexity counts only weights and biases on a live path, one that
leads from a latent to a class; dead ones are set to zero.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import silu

from latentlaw.discovery.networks import (
    LatentNetwork,
    NetworkSpec,
    apply_masks,
    folded,
    one_thread,
    train_network,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from latentlaw.discovery.latents import LatentData, LatentScaling

BUDGETS = (80, 40, 20, 10)
KEEP_PER_ROUND = 0.7
SPARSE_SPEC = NetworkSpec(hidden=(16,), epochs=200, patience=30)


@dataclass(frozen=True)
class SparseModel:
    """A pruned network, the weights it was allowed, and the latents it kept."""

    network: LatentNetwork
    budget: int
    latents: tuple[str, ...]
    val_loss: float

    @property
    def complexity(self) -> int:
        """Weights and biases on a live path."""
        return self.network.complexity


@one_thread()
def fit_sparse(
    data: LatentData,
    scaling: LatentScaling,
    *,
    budgets: Sequence[int] = BUDGETS,
    spec: NetworkSpec = SPARSE_SPEC,
    seed: int = 0,
) -> list[SparseModel]:
    """Prune one network through descending `budgets` of weights and return a model for each.

    Budgets that the starting network already meets are skipped; each class keeps at least one
    path from a latent while the budget allows two weights a class.
    """
    generator = torch.Generator().manual_seed(seed)
    net = LatentNetwork((len(scaling.kept), *spec.hidden, data.classes), generator)
    train_network(net, data, scaling, spec=spec, generator=generator)
    tune = replace(spec, epochs=max(20, spec.epochs // 8), patience=15, weight_decay=0.0)
    final = replace(spec, weight_decay=1e-4)
    masks = [torch.ones_like(w) for w in _weights(net)]
    found = []
    for budget in sorted(set(budgets), reverse=True):
        if budget < data.classes or _count(masks) <= budget:
            continue
        while _count(masks) > budget:
            keep = max(budget, int(_count(masks) * KEEP_PER_ROUND))
            masks = prune(_weights(net), masks, keep)
            apply_masks(net, masks)
            train_network(net, data, scaling, spec=tune, generator=generator, masks=masks)
        loss = train_network(net, data, scaling, spec=final, generator=generator, masks=masks)
        dead_end_free = without_dead_ends(net)
        wide = folded(dead_end_free, scaling, data.dims)
        used = wide.linears[0].weight.detach().abs().sum(0) > 0
        names = tuple(name for name, u in zip(data.latent_names, used, strict=True) if u)
        found.append(SparseModel(wide, budget, names, loss))
    return found


def prune(weights: Sequence[Tensor], masks: Sequence[Tensor], keep: int) -> list[Tensor]:
    """Return masks of at most `keep` weights: a strongest path for each class, then by magnitude.

    Weights whose unit would have no input or no output are passed over for the next strongest.

    Parameters
    ----------
    weights, masks
        Matrices `(out, in)` of each layer, first to last.
    """
    chosen = _strongest_paths(weights, masks, keep)
    allowed = [m.clone() for m in masks]
    for _ in range(len(weights) * 4):
        sizes = [w.abs() * a for w, a in zip(weights, allowed, strict=True)]
        flat = torch.cat([s.flatten() for s in sizes])
        fixed = torch.cat([c.flatten() for c in chosen]).bool()
        rank = torch.where(fixed, torch.inf, flat)
        top = rank.topk(min(keep, int((rank > 0).sum()))).indices
        picked = torch.zeros_like(rank)
        picked[top] = 1.0
        parts = torch.split(picked, [w.numel() for w in weights])
        result = [p.view_as(w) for p, w in zip(parts, weights, strict=True)]
        live = live_masks(result)
        if all(torch.equal(a, b) for a, b in zip(live, result, strict=True)):
            return result
        lost = [(r > 0) & (a == 0) for r, a in zip(result, live, strict=True)]
        allowed = [a * ~dead for a, dead in zip(allowed, lost, strict=True)]
    return live


def live_masks(masks: Sequence[Tensor]) -> list[Tensor]:
    """Return the entries of `masks` that lie on a path from an input to an output."""
    live = [m.clone() for m in masks]
    for _ in range(len(live)):
        for i in range(len(live) - 1):
            fed = (live[i].sum(1) > 0).to(live[i])  # units with an input
            read = (live[i + 1].sum(0) > 0).to(live[i])  # units with an output
            live[i] = live[i] * read[:, None]
            live[i + 1] = live[i + 1] * fed[None, :]
    return live


def without_dead_ends(net: LatentNetwork) -> LatentNetwork:
    """Return `net` with weights and biases off every live path set to zero.

    A hidden unit that is read but has no input is a constant, so its effect is added to the biases
    of the next layer before it is cut.
    """
    result = copy.deepcopy(net)
    with torch.no_grad():
        for here, after in zip(result.linears[:-1], result.linears[1:], strict=True):
            idle = (here.weight != 0).sum(1) == 0
            constant = silu(here.bias) * idle
            after.bias.add_(after.weight @ constant)
        live = live_masks([(w != 0).to(w) for w in _weights(result)])
        apply_masks(result, live)
        for layer, after_mask in zip(result.linears[:-1], live[1:], strict=True):
            layer.bias.mul_((after_mask.sum(0) > 0).to(after_mask))
    return result


def _strongest_paths(
    weights: Sequence[Tensor], masks: Sequence[Tensor], keep: int
) -> list[Tensor]:
    """Return masks of the path with the largest product of weights to each class, best first."""
    chosen = [torch.zeros_like(m) for m in masks]
    best = [torch.ones(weights[0].shape[1])]  # strongest product reaching each unit
    came: list[Tensor] = []
    for w, m in zip(weights, masks, strict=True):
        value, source = (w.abs() * m * best[-1][None, :]).max(dim=1)
        best.append(value)
        came.append(source)
    for k in best[-1].argsort(descending=True).tolist():
        if best[-1][k] <= 0:
            continue
        path, unit = [c.clone() for c in chosen], k
        for i in range(len(weights) - 1, -1, -1):
            source_unit = int(came[i][unit])
            path[i][unit, source_unit] = 1.0
            unit = source_unit
        if _count(path) <= keep:
            chosen = path
    return chosen


def _weights(net: LatentNetwork) -> list[Tensor]:
    return [layer.weight.detach() for layer in net.linears]


def _count(masks: Sequence[Tensor]) -> int:
    return int(sum(float(m.sum()) for m in masks))
