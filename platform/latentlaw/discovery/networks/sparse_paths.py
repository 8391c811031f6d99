"""Which weights of a sparse network are live: those on a path from an input to an output.

A sparse network is given by its weights and by masks of 0 and 1, matrices `(out, in)` of each
layer, first to last.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import silu

from latentlaw.discovery.networks.dense import LatentNetwork, apply_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def weight_matrices(net: LatentNetwork) -> list[Tensor]:
    """Return the weights `(out, in)` of each layer; they share memory with `net`."""
    return [layer.weight.detach() for layer in net.linears]


def count(masks: Sequence[Tensor]) -> int:
    """Return how many weights the masks, `(out, in)` of each layer, let through."""
    return int(sum(int(torch.count_nonzero(mask)) for mask in masks))


def flat(matrices: Sequence[Tensor]) -> Tensor:
    """Return the entries of the matrices `(out, in)` of all layers in one vector `(weights,)`."""
    return torch.cat([matrix.flatten() for matrix in matrices])


def like(vector: Tensor, matrices: Sequence[Tensor]) -> list[Tensor]:
    """Undo `flat`: cut a vector into matrices of these shapes."""
    parts = torch.split(vector, [matrix.numel() for matrix in matrices])
    return [part.view_as(matrix) for part, matrix in zip(parts, matrices, strict=True)]


def live_masks(masks: Sequence[Tensor]) -> list[Tensor]:
    """Return the entries of masks `(out, in)` that lie on a path from an input to an output."""
    fed, read = _fed(masks), _read(masks)
    return [m * r[:, None] * f[None, :] for m, f, r in zip(masks, fed, read, strict=True)]


def joinable(masks: Sequence[Tensor]) -> list[Tensor]:
    """Return masks `(out, in)` of weights that are absent and would be live if they were there."""
    fed, read = _fed(masks), _read(masks)
    return [(1 - m) * r[:, None] * f[None, :] for m, f, r in zip(masks, fed, read, strict=True)]


def strongest_paths(weights: Sequence[Tensor], masks: Sequence[Tensor], keep: int) -> list[Tensor]:
    """Return masks of the path with the largest product of weights to each class, best first.

    A path that would make them more than `keep` weights is left out. Weights and masks are
    `(out, in)` of each layer.
    """
    chosen = [torch.zeros_like(m) for m in masks]
    best = [torch.ones(weights[0].shape[1])]  # strongest product reaching each unit
    came: list[Tensor] = []
    least = torch.finfo(torch.float32).tiny ** (1 / (2 * len(masks)))  # a weight may be exactly 0
    for w, m in zip(weights, masks, strict=True):
        value, source = (w.abs().clamp_min(least) * m * best[-1][None, :]).max(dim=1)
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
        if count(path) <= keep:
            chosen = path
    return chosen


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
        live = live_masks([(w != 0).to(w) for w in weight_matrices(result)])
        apply_masks(result, live)
        for layer, after_mask in zip(result.linears[:-1], live[1:], strict=True):
            layer.bias.mul_((after_mask.sum(0) > 0).to(after_mask))
    return result


def _fed(masks: Sequence[Tensor]) -> list[Tensor]:
    """Whether a path from an input reaches the units that each layer reads, `(in,)`."""
    reached = [torch.ones_like(masks[0][0])]
    for mask in masks[:-1]:
        reached.append(((mask @ reached[-1]) > 0).to(mask))
    return reached


def _read(masks: Sequence[Tensor]) -> list[Tensor]:
    """Whether a path to an output starts at the units that each layer feeds, `(out,)`."""
    reached = [torch.ones_like(masks[-1][:, 0])]
    for mask in reversed(masks[1:]):
        reached.append(((mask.T @ reached[-1]) > 0).to(mask))
    return reached[::-1]
