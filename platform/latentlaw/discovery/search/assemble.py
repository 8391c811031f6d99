"""From the expressions that searches found for each class to whole models of growing size."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import sympy

from latentlaw.discovery.equations.canonical import canonical_form, structure_text
from latentlaw.discovery.equations.expressions import complexity, is_readable, to_text
from latentlaw.discovery.search.choice import Assembled, out_of_fold_values
from latentlaw.discovery.search.refit import (
    Heads,
    Sample,
    elimination_path,
    head_values,
    loosened,
    mean_loss,
    refit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from latentlaw.discovery.search.deadline import Deadline

MOST_MODELS = 24


@dataclass
class Candidate:
    """A refitted expression of one head, its nodes and loss, and the searches that led to it.

    `smaller` is what is left of it when the constant that is worth least is dropped.
    """

    expression: sympy.Expr
    complexity: int
    loss: float
    searches: set[int] = field(default_factory=set)
    smaller: Candidate | None = None

    @property
    def size_and_loss(self) -> tuple[int, float, str]:
        """Nodes and loss, by which candidates are compared, and the text, for equals."""
        return self.complexity, self.loss, to_text(self.expression)


def head_candidates(
    found: Iterable[tuple[sympy.Expr, int | None]],
    sample: Sample,
    *,
    largest: int,
    deadline: Deadline,
) -> list[Candidate]:
    """Refit and prune what searches found for one head; return each structure once.

    Parameters
    ----------
    found
        Pairs of an expression and the number of the search that found it, or None.
    sample
        Particles to fit constants on, labelled 1 or 0.
    largest
        Most nodes of an expression.
    deadline
        After which no further expression is begun, but the first.
    """
    pool: dict[str, Candidate] = {}
    starts: dict[str, Candidate] = {}
    # The largest first: what is left of them as they are pruned are the small ones.
    for expression, search in sorted(found, key=lambda pair: -complexity(pair[0])):
        start = structure_text(expression)
        if start not in starts:
            if pool and deadline.passed():
                continue
            starts[start] = _descend(expression, sample, pool)
        at: Candidate | None = starts[start]
        while at is not None and search is not None:
            at.searches.add(search)
            at = at.smaller
    allowed = [c for c in pool.values() if c.complexity <= largest and is_readable(c.expression)]
    return allowed or [_constant(sample)]


def _descend(expression: sympy.Expr, sample: Sample, pool: dict[str, Candidate]) -> Candidate:
    """Refit an expression, add it and what is left of it to `pool`, down to what is known."""
    fitted = refit((loosened(expression),), sample)
    chain: list[Candidate] = []
    for heads in itertools.chain([fitted], elimination_path(fitted, sample)):
        structure = structure_text(heads[0])
        known = structure in pool
        if not known:
            pool[structure] = Candidate(heads[0], complexity(heads[0]), mean_loss(heads, sample))
        chain.append(pool[structure])
        if known:
            break
    for larger, smaller in itertools.pairwise(chain):
        if smaller.complexity < larger.complexity:  # so that chains end
            larger.smaller = smaller
    return chain[0]


def searches_that_found(law: sympy.Expr, candidates: Iterable[Candidate]) -> set[int]:
    """Return the searches that led to a law, in whatever form it was written.

    Only structures are compared: constants are always refitted to the same particles.
    """
    form = canonical_form(law).structure
    return {
        search
        for candidate in candidates
        if candidate.expression.free_symbols == law.free_symbols
        and canonical_form(candidate.expression).structure == form
        for search in candidate.searches
    }


def ladder(fronts: Sequence[Sequence[Candidate]], sample: Sample) -> list[Heads]:
    """Return whole models of growing size, one expression from each head's front.

    From the smallest expressions on, the head takes the next of its front that gains the most loss
    a node; heads grow apart, so an easy class keeps a short expression for long. Heads are
    compared as they were fitted, one class against the rest, which is fast; whole models are
    refitted by the caller.
    """
    values = [[head_values((c.expression,), sample)[:, 0] for c in front] for front in fronts]
    place = [0] * len(fronts)
    models = [place]

    def loss(where: Sequence[int]) -> float:
        heads = np.stack([values[k][i] for k, i in enumerate(where)], axis=1)
        return float(sample.losses(heads).mean())

    now = loss(place)
    while growing := [k for k, front in enumerate(fronts) if place[k] + 1 < len(front)]:
        steps = []
        for k in growing:
            there = [*place[:k], place[k] + 1, *place[k + 1 :]]
            nodes = fronts[k][there[k]].complexity - fronts[k][place[k]].complexity
            steps.append(((now - loss(there)) / nodes, there))
        _, place = max(steps, key=lambda step: step[0])
        now = loss(place)
        models.append(place)
    return [tuple(fronts[k][i].expression for k, i in enumerate(m)) for m in spread(models)]


def spread(models: Sequence[list[int]], most: int = MOST_MODELS) -> list[list[int]]:
    """Return at most `most` of the models, evenly spaced, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(models) - 1, min(most, len(models))).round().astype(int))
    return [models[i] for i in rows]


def assemble(
    fronts: Sequence[Sequence[Candidate]],
    sample: Sample,
    fold_of: NDArray[np.int64],
    counts: NDArray[np.float64],
    *,
    largest: int,
    deadline: Deadline,
) -> list[Assembled]:
    """Return whole models with constants fitted jointly and a loss cross-validated, by size.

    `counts` `(n,)` of mean 1 say how much each particle's loss counts in the choice.

    The largest of the ladder is also pruned constant by constant, which finds smaller models that
    heads by themselves do not show.
    """
    models = list(reversed(ladder(fronts, sample)))  # the best first: time may be short
    if len(fronts) > 1:
        models[0] = refit(models[0], sample)
    found: dict[tuple[str, ...], Assembled] = {}
    for heads in itertools.chain(models, elimination_path(models[0], sample)):
        key = tuple(map(structure_text, heads))
        if key in found or max(map(complexity, heads)) > largest:
            continue
        if found and deadline.passed():
            break
        fitted = refit(heads, sample) if len(fronts) > 1 else heads
        losses = counts * sample.losses(out_of_fold_values(fitted, sample, fold_of))
        found[key] = Assembled(fitted, sum(map(complexity, fitted)), losses)
    return sorted(found.values(), key=lambda m: (m.complexity, float(m.losses.mean())))


def _constant(sample: Sample) -> Candidate:
    (head,) = refit((sympy.Float(0.1),), sample)
    return Candidate(head, 1, mean_loss((head,), sample))
