"""Sparse networks: a handful of weights from latents to classes, by RigL or magnitude pruning.

Complexity counts only weights and biases on a live path, one that leads from a latent to a class;
dead ones are set to zero.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from latentlaw.discovery.networks.dense import LatentNetwork, NetworkSpec, folded
from latentlaw.discovery.networks.magnitude import pruned_networks
from latentlaw.discovery.networks.rigl import rigl_networks
from latentlaw.discovery.networks.sparse_paths import without_dead_ends
from latentlaw.discovery.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from latentlaw.discovery.latents import LatentData, LatentScaling

SparseMethod = Literal["rigl", "magnitude"]
METHODS = {"rigl": rigl_networks, "magnitude": pruned_networks}
BUDGETS = (80, 40, 20, 10)
# A grown weight starts at zero and has a few tens of steps to become larger than others.
SPARSE_SPEC = NetworkSpec(hidden=(16,), epochs=100, patience=30, learning_rate=2e-2)


@dataclass(frozen=True)
class SparseModel:
    """A sparse network, the weights it was allowed, and the latents that it reads."""

    network: LatentNetwork
    budget: int
    latents: tuple[str, ...]

    @property
    def complexity(self) -> int:
        """Weights and biases on a live path."""
        return self.network.complexity


@one_thread()
def fit_sparse(
    data: LatentData,
    scaling: LatentScaling,
    *,
    method: SparseMethod = "magnitude",
    budgets: Sequence[int] = BUDGETS,
    spec: NetworkSpec = SPARSE_SPEC,
    seed: int = 0,
) -> list[SparseModel]:
    """Return a network for each of `budgets` of weights, largest first.

    Budgets are left out that all weights of `spec.hidden` meet, and those below the weights of one
    path that forks to all classes.
    """
    widths = (len(scaling.kept), *spec.hidden, data.classes)
    dense = sum(a * b for a, b in itertools.pairwise(widths))
    forked = data.classes + len(spec.hidden)
    asked = sorted((b for b in set(budgets) if forked <= b < dense), reverse=True)
    found = []
    for budget, net in METHODS[method](data, scaling, budgets=asked, spec=spec, seed=seed):
        wide = folded(without_dead_ends(net), scaling, data.dims)
        used = torch.count_nonzero(wide.linears[0].weight, dim=0) > 0
        names = tuple(name for name, u in zip(data.latent_names, used, strict=True) if u)
        found.append(SparseModel(wide, budget, names))
    return found
