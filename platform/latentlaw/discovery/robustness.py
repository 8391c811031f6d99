"""Accuracy under growing gradient attacks on the images, through the encoder and a model.

An equation, a sparse net or a black box is attacked the same way: compose it with the encoder into
one differentiable function of the images. A model that rests on features of the domain needs a
larger, more meaningful change before it errs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from latentlaw.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


def attack_accuracies(
    logits_fn: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    steps: int = 1,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
) -> dict[float, float]:
    """Return the accuracy for each L-infinity radius in `epsilons`.

    Parameters
    ----------
    logits_fn
        Maps images `(n, c, [z,] y, x)` to logits `(n, K)`, differentiably.
    images, labels
        Images and class indices `(n,)`.
    steps
        1 is FGSM (Goodfellow et al. 2015); more is PGD (Madry et al. 2018).
    bounds
        Smallest and largest allowed pixel value, if there is one.

    Raises
    ------
    ConfigError
        If a radius is negative or not finite, or `steps` is below 1.
    """
    if steps < 1:
        raise ConfigError(f"steps={steps}: an attack needs one step or more")
    result: dict[float, float] = {}
    for epsilon in epsilons:
        right = 0
        for rows in torch.split(torch.arange(len(labels)), batch_size):
            part, truth = images[rows], labels[rows]
            moved = attack(logits_fn, part, truth, epsilon, steps=steps, bounds=bounds)
            with torch.no_grad():
                right += int((logits_fn(moved).argmax(dim=1) == truth).sum())
        result[float(epsilon)] = right / max(1, len(labels))
    return result


def attack(
    logits_fn: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int = 1,
    bounds: tuple[float, float] | None = None,
) -> Tensor:
    """Return images moved uphill in cross-entropy within `epsilon` of each pixel.

    `x <- clip(x + a sign(grad), x0 - e, x0 + e)`, `a = e` for one step and `2.5 e / steps` else.
    An undefined gradient (a saturated or undefined equation) moves nothing.
    """
    if not 0 <= epsilon < float("inf"):
        raise ConfigError(f"epsilon={epsilon}: a radius must be a number of at least 0")
    start, moved = images.detach(), images.detach()
    if epsilon == 0:
        return moved
    stride = epsilon if steps == 1 else 2.5 * epsilon / steps
    for _ in range(steps):
        moved = moved.clone().requires_grad_(True)
        with torch.enable_grad():
            loss = cross_entropy(logits_fn(moved), labels, reduction="sum")
            slope = torch.autograd.grad(loss, moved, allow_unused=True)[0]
        if slope is None:
            return start
        step = stride * torch.nan_to_num(slope).sign()
        moved = (start + (moved.detach() + step - start).clamp(-epsilon, epsilon)).detach()
        if bounds is not None:
            moved = moved.clamp(*bounds)
    return moved
