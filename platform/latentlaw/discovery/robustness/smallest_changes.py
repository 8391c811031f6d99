"""How far an image has to move before a model errs, and the accuracy that this leaves.

A model that rests on features of the domain needs a larger, more meaningful change before it errs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from latentlaw.discovery.robustness.attacks import as_images, fgsm, pgd, random_search, sizes
from latentlaw.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from latentlaw.discovery.robustness.attacks import Attacked, Target

_DOUBLINGS = 5  # of the largest radius asked for, for the images that it does not move enough


@dataclass(frozen=True)
class SmallestChanges:
    """The smallest change found of each image that makes the model err.

    Attributes
    ----------
    radii
        Norms `(n,)`, units of normalised images: 0 where the model errs as it is, infinite where
        no change that was tried makes it err.
    images
        `(n, c, [z,] y, x)`, moved; as they were where the radius is 0 or infinite.
    by_search_only
        Where random search found the change and gradients did not, `(n,)`: many of those, and
        the model's gradients mislead (Athalye et al. 2018, arXiv 1802.00420).
    """

    radii: Tensor
    images: Tensor
    by_search_only: Tensor

    @property
    def moved(self) -> Tensor:
        """Where a change was needed and found, `(n,)`."""
        return (self.radii > 0) & self.radii.isfinite()

    @property
    def median(self) -> float:
        """Median radius of the images that are right as they are; NaN where there is none.

        Of an even number the lower of the two in the middle, since radii may be infinite.
        """
        needed = self.radii[self.radii > 0]
        return float(needed.median()) if len(needed) else math.nan

    @property
    def search_share(self) -> float:
        """Share of the changes that random search found and gradients did not."""
        return float(self.by_search_only[self.moved].double().mean()) if self.moved.any() else 0.0

    def accuracy(self, epsilon: float) -> float:
        """Accuracy under the best known attack of norm `epsilon` or less."""
        return float((self.radii > epsilon).double().mean())


def smallest_changes(
    target: Target,
    radii: Sequence[float],
    *,
    generator: Generator,
    steps: int = 8,
    rounds: int = 3,
) -> SmallestChanges:
    """Find, for each image, the smallest ball within which an attack makes the model err.

    At a radius, FGSM goes first, PGD has those that still stand, and random search, with as many
    evaluations of the model as PGD, those that stand then; so the best of the three counts.
    `radii`, and up to five doublings of the largest, bracket the smallest; bisection narrows it
    down, first of the radius and then along the change that was found.

    Parameters
    ----------
    target
        The images, the model that is to err on them, and the norm.
    radii
        Norms to begin with; those that accuracies are wanted for. 0 is allowed, and says nothing.
    generator
        Source of random starts and blocks.
    steps
        Of PGD; random search has twice as many queries, since a gradient costs about one more.
    rounds
        Of either bisection, each of which leaves 2^-rounds of its bracket.

    Raises
    ------
    ConfigError
        If a radius is negative or not finite, none is positive, or `steps` is below 1.
    """
    ladder = _ladder(radii)
    if steps < 1:
        raise ConfigError(f"steps: found {steps}, expected one step or more")
    search = _Search(target, steps, generator)
    for radius in ladder:
        search.try_at(torch.full_like(search.high, radius), search.high.isinf())
    for _ in range(rounds):
        search.try_at((search.low + search.high) / 2, search.high.isfinite() & (search.high > 0))
    search.shorten(rounds)
    return SmallestChanges(search.high, search.images, search.by_search_only)


def _ladder(radii: Sequence[float]) -> list[float]:
    bad = [radius for radius in radii if not 0 <= radius < math.inf]
    if bad:
        raise ConfigError(f"epsilons: found {bad[0]}, expected a finite radius of at least 0")
    positive = sorted({radius for radius in radii if radius > 0})
    if not positive:
        raise ConfigError(f"epsilons: found {list(radii)}, expected at least one above 0")
    return [*positive, *(positive[-1] * 2**i for i in range(1, _DOUBLINGS + 1))]


class _Search:
    """The bracket `low` to `high` of every image's smallest radius, and the change at `high`."""

    def __init__(self, target: Target, steps: int, generator: Generator) -> None:
        self._target, self._steps, self._generator = target, steps, generator
        errs = target.at(target.images).errs
        self.low = torch.zeros(len(target))
        self.high = torch.where(errs, 0.0, math.inf)
        self.images = target.images.clone()
        self.by_search_only = torch.zeros(len(target), dtype=torch.bool)

    def try_at(self, radius: Tensor, rows: Tensor) -> None:
        """Attack the images of `rows` at `radius`, both `(n,)`, and narrow their brackets."""
        if not rows.any():
            return
        target = self._target.rows(rows)
        found, by_search_only = self._strongest(target, radius[rows])
        # The change may be smaller than the ball, but for rounding is never larger.
        reached = sizes(found.images - target.images, target.norm).minimum(radius[rows])
        self.low[rows] = torch.where(found.errs, self.low[rows].minimum(reached), radius[rows])
        self.high[rows] = torch.where(found.errs, reached, self.high[rows])
        fell = torch.zeros_like(rows)
        fell[rows] = found.errs
        self.images[fell] = found.images[found.errs]
        self.by_search_only[fell] = by_search_only[found.errs]

    def shorten(self, rounds: int) -> None:
        """Go back along every change for as long as the model errs; no gradient is needed."""
        rows = self.high.isfinite() & (self.high > 0)
        if not rows.any():
            return
        target = self._target.rows(rows)
        change = self.images[rows] - target.images
        # As shares of the change: a ball of radius `low` held nothing.
        right, wrong = self.low[rows] / self.high[rows], torch.ones(len(target))
        images = self.images[rows]
        for _ in range(rounds):
            middle = (right + wrong) / 2
            state = target.at(target.images + as_images(middle, change) * change)
            images[state.errs] = state.images[state.errs]
            right = torch.where(state.errs, right, middle)
            wrong = torch.where(state.errs, middle, wrong)
        self.images[rows] = images
        self.high[rows] *= wrong

    def _strongest(self, target: Target, radius: Tensor) -> tuple[Attacked, Tensor]:
        """Return the best of the three attacks, and where only random search succeeds."""
        best = fgsm(target, radius)
        for attack in (self._pgd, self._random):
            standing = ~best.errs
            if standing.any():
                part = attack(target.rows(standing), radius[standing])
                best = best.or_better(part, standing)
        return best, best.errs & standing

    def _pgd(self, target: Target, radius: Tensor) -> Attacked:
        return pgd(target, radius, steps=self._steps, generator=self._generator)

    def _random(self, target: Target, radius: Tensor) -> Attacked:
        queries = 2 * self._steps
        return random_search(target, radius, queries=queries, generator=self._generator)
