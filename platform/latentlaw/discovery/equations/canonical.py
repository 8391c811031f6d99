"""When two expressions are one law: equal up to algebra, with constants that agree.

A law's form is a quotient of two sums, expanded, with the denominator's first coefficient 1. Two
expressions are the same law if their terms are the same but for constants, and the constants are
within a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sympy

from latentlaw.discovery.equations.expressions import complexity, symbol

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

TOLERANCE = 0.1  # relative difference of constants that still counts as the same law
NEGLIGIBLE = 1e-9  # share of the largest coefficient below which a term is rounding noise
LARGEST_EXPANDED = 60  # nodes; larger expressions are compared without expanding them
CONSTANT = symbol("_c")


@dataclass(frozen=True)
class CanonicalForm:
    """The structure of a law, as text without its constants, and the constants in order."""

    structure: str
    constants: tuple[float, ...]

    def matches(self, other: CanonicalForm, tolerance: float = TOLERANCE) -> bool:
        """Say whether the structures are equal and each constant is within `tolerance`.

        Constants `a` and `b` agree if `|a - b| <= tolerance * max(|a|, |b|)`.
        """
        return self.structure == other.structure and all(
            abs(a - b) <= tolerance * max(abs(a), abs(b))
            for a, b in zip(self.constants, other.constants, strict=True)
        )


@dataclass
class LawGroup:
    """Expressions that are one law, the first of them as found, and where each was found."""

    expression: sympy.Expr
    form: CanonicalForm
    sources: list[Any] = field(default_factory=list)

    @property
    def times(self) -> int:
        """In how many different sources the law was found."""
        return len(set(self.sources))


def canonical_form(expression: sympy.Expr) -> CanonicalForm:
    """Return the form by which laws are compared."""
    if complexity(expression) > LARGEST_EXPANDED:
        return _form(expression, sympy.S.One)
    wide = sympy.together(sympy.expand(expression))
    top, bottom = sympy.fraction(wide)
    return _form(sympy.expand(top), sympy.expand(bottom))


def group_laws(found: Iterable[tuple[sympy.Expr, Hashable]]) -> list[LawGroup]:
    """Merge expressions that are the same law; the most often found first.

    Parameters
    ----------
    found
        Pairs of an expression and its source, such as a restart, a seed or a run.
    """
    groups: list[LawGroup] = []
    for expression, source in found:
        form = canonical_form(expression)
        for group in groups:
            if group.form.matches(form):
                group.sources.append(source)
                break
        else:
            groups.append(LawGroup(expression, form, [source]))
    return sorted(groups, key=lambda group: -group.times)


def structure_text(expression: sympy.Expr) -> str:
    """Return the expression as text with every float constant the same symbol."""
    return str(_without_constants(expression, []))


def _form(top: sympy.Expr, bottom: sympy.Expr) -> CanonicalForm:
    below = _terms(bottom)
    scale = below[0][1] if below else 1.0
    parts, constants = [], []
    for terms in (_terms(top), below):
        parts.append(" + ".join(body for body, _, _ in terms))
        for _, weight, inner in terms:
            constants += [weight / scale, *inner]
    return CanonicalForm(" / ".join(parts), tuple(constants))


def _terms(total: sympy.Expr) -> list[tuple[str, float, tuple[float, ...]]]:
    """Return for each term of a sum its body as text, its weight, and constants in the body."""
    found = []
    for term in sympy.Add.make_args(total):
        weight, body = term.as_coeff_Mul()
        if body.is_number:
            weight, body = term, sympy.S.One
        inner: list[float] = []
        text = sympy.srepr(_without_constants(body, inner))
        found.append((text, float(weight), tuple(inner)))
    largest = max(abs(weight) for _, weight, _ in found)
    kept = [term for term in found if abs(term[1]) > NEGLIGIBLE * largest]
    return sorted(kept)


def _without_constants(node: sympy.Expr, values: list[float]) -> sympy.Expr:
    if isinstance(node, sympy.Float):
        values.append(float(node))
        return CONSTANT
    return node.func(*(_without_constants(a, values) for a in node.args)) if node.args else node
