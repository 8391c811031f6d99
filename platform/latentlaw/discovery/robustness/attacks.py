"""Attacks: changes of images, within a ball, that make a classifier err.

An equation, a sparse net or a black box is attacked the same way: composed with the encoder it is
one function of the images. What an attack lowers is the margin of the true class, the objective f6
of Carlini & Wagner 2017 (arXiv 1608.04644): where a model is certain, cross-entropy has no
gradient left and would make it look robust.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch import Generator

Logits = Callable[[Tensor], Tensor]
Norm = Literal["linf", "l2"]
BATCH = 64  # images that a model sees at a time
_STRIDE = 2.5  # of the radius, over all steps: from anywhere in the ball to anywhere


@dataclass(frozen=True)
class Target:
    """What is attacked, and how changes are measured.

    Attributes
    ----------
    logits_fn
        Maps images to logits `(n, K)`, differentiably.
    images
        `(n, c, [z,] y, x)`, as the model takes them: changes are in units of normalised images.
    labels
        Class indices `(n,)`.
    norm
        `linf`: the largest change of a pixel. `l2`: the root of the summed squares over pixels.
    """

    logits_fn: Logits
    images: Tensor
    labels: Tensor
    norm: Norm = "linf"

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, mask: Tensor) -> Target:
        """Return the target of the images where `mask` `(n,)` is true."""
        return replace(self, images=self.images[mask], labels=self.labels[mask])

    def at(self, moved: Tensor) -> Attacked:
        """Return the state at moved images `(n, c, [z,] y, x)`."""
        with torch.no_grad():
            parts = [
                _margins(self.logits_fn(images), labels) for images, labels in self._batches(moved)
            ]
        margins, errs = (torch.cat(column) for column in zip(*parts, strict=True))
        return Attacked(moved, margins, errs)

    def slopes(self, moved: Tensor) -> tuple[Attacked, Tensor]:
        """Return the state at moved images, and the gradient of its margins, 0 where undefined.

        Both images and gradient are `(n, c, [z,] y, x)`.
        """
        states, slopes = [], []
        for images, labels in self._batches(moved):
            leaf = images.detach().requires_grad_(True)
            with torch.enable_grad():
                margins, errs = _margins(self.logits_fn(leaf), labels)
                slope = None
                if margins.requires_grad:  # not so where the answer is a constant, or of trees
                    slope = torch.autograd.grad(margins.sum(), leaf, allow_unused=True)[0]
            states.append((margins.detach(), errs))
            slopes.append(torch.zeros_like(leaf) if slope is None else torch.nan_to_num(slope))
        margins, errs = (torch.cat(column) for column in zip(*states, strict=True))
        return Attacked(moved, margins, errs), torch.cat(slopes)

    def _batches(self, moved: Tensor) -> zip[tuple[Tensor, Tensor]]:
        return zip(moved.split(BATCH), self.labels.split(BATCH), strict=True)


@dataclass(frozen=True)
class Attacked:
    """Moved images and what a model makes of them.

    Attributes
    ----------
    images
        `(n, c, [z,] y, x)`.
    margins
        The true class's logit less the highest other, `(n,)`.
    errs
        Where the answer is another class, `(n,)`; at a margin of 0 it may or may not be.
    """

    images: Tensor
    margins: Tensor
    errs: Tensor

    def or_better(self, other: Attacked, rows: Tensor) -> Attacked:
        """Return, of each image, what errs, or else has the smaller margin; `other` is of `rows`.

        `rows` is a mask `(n,)`.
        """
        margins, errs = self.margins[rows], self.errs[rows]
        better = (other.errs & ~errs) | ((other.errs == errs) & (other.margins < margins))
        place = (torch.nonzero(rows)[better, 0],)
        return Attacked(
            self.images.index_put(place, other.images[better]),
            self.margins.index_put(place, other.margins[better]),
            self.errs.index_put(place, other.errs[better]),
        )


def fgsm(target: Target, radius: Tensor) -> Attacked:
    """Move once, to the edge of the ball, down the margin's gradient (Goodfellow et al. 2015).

    Parameters
    ----------
    target
        The images, and the model that is to err on them.
    radius
        Of each image's ball, `(n,)`.
    """
    _, slope = target.slopes(target.images)
    step = as_images(radius, slope) * steepest(slope, target.norm)
    return target.at(target.images - step)


def pgd(target: Target, radius: Tensor, *, steps: int, generator: Generator) -> Attacked:
    """Move down the gradient again and again from a random start, projected onto the ball.

    Madry et al. 2018 (arXiv 1706.06083). The best iterate is kept, and where the model errs the
    image stays.

    Parameters
    ----------
    target
        The images, and the model that is to err on them.
    radius
        Of each image's ball, `(n,)`.
    steps
        Gradients to follow.
    generator
        Source of the random start.
    """
    moved = target.images + _random_change(target.images, radius, target.norm, generator)
    best = target.at(moved)
    for _ in range(steps):
        standing = ~best.errs
        if not standing.any():
            break
        part, within = target.rows(standing), radius[standing]
        # The gradient comes with the state there, so a step costs one pass forward and back.
        state, slope = part.slopes(moved[standing])
        best = best.or_better(state, standing)
        step = as_images(_STRIDE / steps * within, slope) * steepest(slope, part.norm)
        change = project(state.images - step - part.images, within, part.norm)
        moved[standing] = part.images + change
    return best.or_better(target.at(moved), torch.ones_like(best.errs))


def random_search(
    target: Target, radius: Tensor, *, queries: int, generator: Generator
) -> Attacked:
    """Brighten or darken random blocks and keep what lowers the margin; no gradient is asked for.

    As the Square Attack (Andriushchenko et al. 2020, arXiv 1912.00049). An attack by gradients
    that does worse has been misled by them.

    Parameters
    ----------
    target
        The images, and the model that is to err on them.
    radius
        Of each image's ball, `(n,)`.
    queries
        Blocks to try per image.
    generator
        Source of the blocks.
    """
    best = target.at(target.images)
    for _ in range(queries):
        standing = ~best.errs
        if not standing.any():
            break
        part, within = target.rows(standing), radius[standing]
        block = steepest(_random_blocks(part.images, generator), part.norm)
        # Across the ball at most: from -radius to radius.
        length = 2 * within * torch.rand(len(part), generator=generator)
        change = best.images[standing] - part.images + as_images(length, block) * block
        state = part.at(part.images + project(change, within, part.norm))
        best = best.or_better(state, standing)
    return best


def sizes(change: Tensor, norm: Norm) -> Tensor:
    """Return the norms `(n,)` of changes `(n, c, [z,] y, x)`."""
    order = math.inf if norm == "linf" else 2
    found: Tensor = torch.linalg.vector_norm(change.flatten(1), ord=order, dim=1)
    return found


def project(change: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """Return the nearest changes, by Euclid's distance, of norms up to `radius` `(n,)`."""
    most = as_images(radius, change)
    if norm == "linf":
        return torch.minimum(torch.maximum(change, -most), most)
    # 0 / 0: a change of nothing is in every ball.
    shrink = torch.nan_to_num(radius / sizes(change, norm), nan=1.0).clamp(max=1.0)
    return change * as_images(shrink, change)


def steepest(slope: Tensor, norm: Norm) -> Tensor:
    """Return the changes of norm 1 along which functions of images grow most.

    Parameters
    ----------
    slope
        Gradients `(n, c, [z,] y, x)` of the functions; the changes have this shape.
    norm
        By which changes are measured.
    """
    if norm == "linf":
        return slope.sign()
    return slope / as_images(sizes(slope, norm), slope).clamp_min(1e-30)


def _margins(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    own = torch.nn.functional.one_hot(labels, logits.shape[1]).bool()
    others = logits.masked_fill(own, -math.inf).amax(dim=1)
    margins = logits.gather(1, labels[:, None])[:, 0] - others
    return margins, logits.argmax(dim=1) != labels


def as_images(values: Tensor, images: Tensor) -> Tensor:
    """View `(n,)` as `(n, 1, …)`, to broadcast against images."""
    return values.view(-1, *[1] * (images.ndim - 1))


def _random_change(images: Tensor, radius: Tensor, norm: Norm, generator: Generator) -> Tensor:
    """Draw changes within the ball: uniform for `linf`, of uniform direction and norm for `l2`."""
    if norm == "linf":
        change = 2 * torch.rand(images.shape, generator=generator) - 1
        return change * as_images(radius, images)
    direction = steepest(torch.randn(images.shape, generator=generator), norm)
    return direction * as_images(radius * torch.rand(len(radius), generator=generator), images)


def _random_blocks(images: Tensor, generator: Generator) -> Tensor:
    """Draw a block of up to half each edge of every image and channel, +1 or -1 within, 0 else."""
    n = len(images)
    blocks = 2.0 * torch.randint(2, (n, images.shape[1]), generator=generator) - 1
    blocks = blocks.view(n, -1, *[1] * (images.ndim - 2))
    for axis, size in enumerate(images.shape[2:], 2):
        length = torch.randint(1, size // 2 + 2, (n, 1), generator=generator)
        first = (torch.rand(n, 1, generator=generator) * (size - length + 1)).long()
        place = torch.arange(size)
        within = (place >= first) & (place < first + length)
        shape = [n, *[1] * (images.ndim - 1)]
        shape[axis] = size
        blocks = blocks * within.view(shape)
    return blocks
