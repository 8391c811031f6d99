"""RigL (Evci et al. 2020, arXiv 1911.11134): networks that are sparse in all of their training.

A network has a fixed number of weights, its budget. Now and then a share of them, the smallest, is
dropped and as many are grown where the gradient of the loss is largest. Grown weights start at
zero, so that they do not disturb the function.

The paper's layers have thousands of weights, these networks ten to a hundred in all. So some
choices differ, where the paper's would leave weights that do nothing:

* An Erdős-Rényi draw would leave most units without an input or without an output. The first
  topology is of random whole paths, the classes in turn.
* Weights are ranked over all layers: of a layer with three weights, a share of 0.3 is none.
* A strongest path to each class is never dropped. What a unit has is dropped when the unit loses
  its last input or output, and weights are grown where they are on a path.
* Of a few draws the one with the least validation loss is kept: a unit in no path has no gradient,
  so it is never grown.
"""

from __future__ import annotations

import itertools
import math
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
    joinable,
    like,
    live_masks,
    strongest_paths,
    weight_matrices,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from torch.optim import Optimizer

    from latentlaw.discovery.latents import LatentData, LatentScaling

ALPHA = 0.3  # share of the weights that the first update replaces
END = 0.75  # of training, when the topology is left alone
UPDATES = 30
DRAWS = 3


def rigl_networks(
    data: LatentData,
    scaling: LatentScaling,
    *,
    budgets: Sequence[int],
    spec: NetworkSpec,
    seed: int,
) -> Iterator[tuple[int, LatentNetwork]]:
    """Train a network for each budget of weights, each from draws of its own.

    Yields
    ------
    budget, network
    """
    for budget in budgets:
        generator = torch.Generator().manual_seed(seed)
        draws = [_train(data, scaling, budget, spec, generator) for _ in range(DRAWS)]
        net, _ = min(draws, key=lambda draw: draw[1])
        yield budget, net


def drop_fraction(step: float, end: float, alpha: float = ALPHA) -> float:
    """Return the share of weights to replace, `alpha / 2 (1 + cos(pi t / T_end))`, then 0.

    Section 3 of the paper, "update schedule".
    """
    return alpha / 2 * (1 + math.cos(math.pi * step / end)) if step < end else 0.0


def random_masks(widths: Sequence[int], budget: int, generator: torch.Generator) -> list[Tensor]:
    """Draw a topology of `budget` weights, all of them live, that reaches every output.

    Random paths, one to each output and then as many as there is room for; outputs that there is
    no room for a path of their own for share the units of others.

    Parameters
    ----------
    widths
        Units of each layer, from inputs to outputs. `budget` is at least
        `widths[-1] + len(widths) - 2`, the weights of one path that forks to all outputs.
    budget
        Number of weights, of all layers together.
    generator
        Source of the topology.

    Returns
    -------
    list of Tensor
        Masks `(out, in)` of each layer. They have less than `budget` weights only where no further
        one would be live.
    """
    outputs = widths[-1]
    masks = [torch.zeros(out, units) for units, out in itertools.pairwise(widths)]
    for place, output in enumerate(torch.randperm(outputs, generator=generator).tolist()):
        wider = _with_random_path(masks, output, generator)
        if count(wider) + outputs - 1 - place > budget:
            scores = _random_scores(masks, generator)
            scores = [*(0 * s for s in scores[:-1]), scores[-1]]
            scores[-1][torch.arange(outputs) != output] = 0
            wider = grow(masks, scores, count(masks) + 1)
        masks = wider
    return _filled(masks, budget, generator)


def rewire(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    masks: Sequence[Tensor],
    *,
    drop: int,
    budget: int,
    generator: torch.Generator,
) -> tuple[list[Tensor], list[Tensor]]:
    """Drop the `drop` smallest weights, and grow those of the largest gradients up to `budget`.

    Parameters
    ----------
    weights, gradients, masks
        Matrices `(out, in)` of each layer; gradients of all weights, absent ones too.
    drop
        Number of weights to drop.
    budget
        Number of weights afterwards.
    generator
        Source of the paths that fill what room gradients leave.

    Returns
    -------
    kept, masks
        Masks of the weights that go on, and of these with the grown ones.
    """
    held = flat(strongest_paths(weights, masks, budget)).bool()
    free = flat(masks).bool() & ~held
    sizes = torch.where(free, flat(weights).abs(), torch.inf)
    rest = flat(masks).clone()
    rest[sizes.topk(min(drop, int(free.sum())), largest=False).indices] = 0
    kept = like(rest, masks)
    # A unit that lost its only input may get another; one that did not is cut off.
    open_places = [j + m - k for j, m, k in zip(joinable(masks), masks, kept, strict=True)]
    grown = live_masks(_grown(kept, gradients, open_places, budget))
    grown = _filled(grow(grown, gradients, budget), budget, generator)
    return [k * g for k, g in zip(kept, grown, strict=True)], grown


def grow(masks: Sequence[Tensor], scores: Sequence[Tensor], budget: int) -> list[Tensor]:
    """Add absent weights that would be live, largest `|scores|` first, up to `budget` in all.

    Parameters
    ----------
    masks, scores
        `(out, in)` of each layer; weights whose score is zero are not added.
    budget
        Most weights, of all layers together.
    """
    return _grown(masks, scores, joinable(masks), budget)


def _grown(
    masks: Sequence[Tensor], scores: Sequence[Tensor], places: Sequence[Tensor], budget: int
) -> list[Tensor]:
    rank = flat([s.abs() * p for s, p in zip(scores, places, strict=True)])
    room = max(0, budget - count(masks))
    result = flat(masks).clone()
    result[rank.topk(min(room, int((rank > 0).sum()))).indices] = 1
    return like(result, masks)


class _Rigging:
    """Rewires a network while it trains."""

    def __init__(
        self, net: LatentNetwork, budget: int, steps: int, generator: torch.Generator
    ) -> None:
        self.net, self.budget, self.generator = net, budget, generator
        self.end = END * steps
        self.every = max(1, int(self.end) // UPDATES)
        self.masks = random_masks(net.widths, budget, generator)
        with torch.no_grad():
            for weight, mask in zip(weight_matrices(net), self.masks, strict=True):
                # As wide as a dense layer's would be for as many inputs as a unit has.
                weight.mul_(mask * (mask.shape[1] / mask.sum(1, keepdim=True).clamp_min(1)).sqrt())

    def update(self, step: int, optimiser: Optimizer) -> None:
        """Rewire if it is time, by the gradients of the last step."""
        drop = int(drop_fraction(step, self.end) * self.budget)
        if step % self.every or not drop:
            return
        parameters = [layer.weight for layer in self.net.linears]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        kept, self.masks[:] = rewire(
            weight_matrices(self.net),
            gradients,
            self.masks,
            drop=drop,
            budget=self.budget,
            generator=self.generator,
        )
        apply_masks(self.net, kept)
        for parameter, mask in zip(parameters, kept, strict=True):
            for name in ("exp_avg", "exp_avg_sq"):
                optimiser.state[parameter][name].mul_(mask)


def _train(
    data: LatentData,
    scaling: LatentScaling,
    budget: int,
    spec: NetworkSpec,
    generator: torch.Generator,
) -> tuple[LatentNetwork, float]:
    """Train from one draw for all of the epochs, so that the schedule ends."""
    net = LatentNetwork((len(scaling.kept), *spec.hidden, data.classes), generator)
    steps = spec.epochs * -(-len(data.train) // spec.batch_size)
    rigging = _Rigging(net, budget, steps, generator)
    loss = train_network(
        net,
        data,
        scaling,
        spec=replace(spec, patience=spec.epochs),
        generator=generator,
        masks=rigging.masks,
        on_step=rigging.update,
    )
    return net, loss


def _with_random_path(
    masks: Sequence[Tensor], output: int, generator: torch.Generator
) -> list[Tensor]:
    wider, unit = [mask.clone() for mask in masks], output
    for mask in reversed(wider):
        source = int(torch.randint(mask.shape[1], (), generator=generator))
        mask[unit, source] = 1
        unit = source
    return wider


def _filled(masks: list[Tensor], budget: int, generator: torch.Generator) -> list[Tensor]:
    """Add random paths, the outputs in turn, then single weights, up to `budget`."""
    for attempt in range(budget):  # some are there already, or longer than the room that is left
        if count(masks) == budget:
            return masks
        wider = _with_random_path(masks, attempt % len(masks[-1]), generator)
        masks = wider if count(wider) <= budget else masks
    return grow(masks, _random_scores(masks, generator), budget)


def _random_scores(masks: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    return [1 + torch.rand(mask.shape, generator=generator) for mask in masks]
