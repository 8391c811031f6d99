"""Sparse linear and quadratic laws, found without a search: backward elimination of terms.

They are the simplest laws there are, and a genetic search may miss the best of them. A full sum of
terms is fitted, then the term that is worth least is dropped and the rest refitted, to the last.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import sympy

from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import complexity, symbol
from latentlaw.discovery.search.refit import levenberg_marquardt, worth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from latentlaw.discovery.search.deadline import Deadline
    from latentlaw.discovery.search.refit import Sample

MOST_LATENTS = 10  # of the quadratic sum, which has a term for each pair
SHARE_AT_ONCE = 0.2  # of the terms, dropped together while there are more than `FEW`
FEW = 10  # terms; more of them are longer than a readable law


def polynomial_laws(
    sample: Sample, *, operators: Sequence[str], largest: int, deadline: Deadline
) -> list[sympy.Expr]:
    """Return sparse linear laws of one head, and quadratic ones where products are allowed.

    Parameters
    ----------
    sample
        Particles to fit, labelled 1 or 0.
    operators
        Operators that a law may use.
    largest
        Most nodes of a law.
    deadline
        After which no further term is dropped.
    """
    if "add" not in operators or "mul" not in operators:
        return []
    linear = [symbol(name) for name in sample.names]
    found, ranking = _eliminate(linear, sample, deadline)
    products = [
        a * b for a, b in itertools.combinations_with_replacement(ranking[:MOST_LATENTS], 2)
    ]
    wide = [*ranking[:MOST_LATENTS], *products]
    found += _eliminate(wide, sample, deadline)[0]
    return [law for law in found if complexity(law) <= largest]


def _eliminate(
    terms: Sequence[sympy.Expr], sample: Sample, deadline: Deadline
) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    """Return the laws of at most `FEW` terms on the way, and the terms, the last to go first."""
    kept = [sympy.S.One, *terms]
    design = np.stack([_column(term, sample) for term in kept], axis=1)
    theta = np.zeros(len(kept))
    laws: list[sympy.Expr] = []
    gone: list[sympy.Expr] = []
    while True:
        fit = _LinearFit(design, sample)
        theta = levenberg_marquardt(fit.expand, fit.loss, theta)
        if len(kept) <= FEW:
            laws.append(sympy.Add(*(sympy.Float(c) * t for c, t in zip(theta, kept, strict=True))))
        if len(kept) == 1 or deadline.passed():
            break
        at_once = 1 if len(kept) <= FEW else max(1, int(SHARE_AT_ONCE * len(kept)))
        order = np.argsort(worth(theta, fit.expand(theta)[2]), kind="stable")
        gone += [kept[i] for i in order[:at_once]]
        rest = np.sort(order[at_once:])
        kept, design, theta = [kept[i] for i in rest], design[:, rest], theta[rest]
    ranked = [*kept, *reversed(gone)]
    return laws, [term for term in ranked if term is not sympy.S.One]


class _LinearFit:
    """The objective of a sample for a head that is linear in its constants."""

    def __init__(self, design: NDArray[np.float64], sample: Sample) -> None:
        self.design, self.sample = design, sample

    def loss(self, theta: NDArray[np.float64]) -> float:
        return self.sample.objective((self.design @ theta)[:, None])

    def expand(
        self, theta: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        values = (self.design @ theta)[:, None]
        first, second = self.sample.derivatives(values)
        matrix = (self.design.T * second[:, 0, 0]) @ self.design / len(values)
        return self.sample.objective(values), self.design.T @ first[:, 0] / len(values), matrix


def _column(term: sympy.Expr, sample: Sample) -> NDArray[np.float64]:
    return compile_program(term, sample.names).numpy(list(sample.latents.T))
