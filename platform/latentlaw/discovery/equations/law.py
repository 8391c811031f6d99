"""A law that answers alone: numpy and plain text, so that nothing else need be imported for it.

It is what an `EquationModel` stores: each class's expression as text, as the steps that evaluate
it, and as the terms of which it is the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from latentlaw.discovery.equations.programs import Program, bounded
from latentlaw.discovery.scores import head_logits, log_softmax
from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Term(NamedTuple):
    """One additive term of a class's expression and its value for one particle."""

    text: str
    value: float


@dataclass(frozen=True)
class ClassLaw:
    """The expression of one class.

    Attributes
    ----------
    expression, latex
        As text; that of two classes' first is the negative of the second's.
    terms
        Texts of what `program` adds up, in its order.
    """

    expression: str
    latex: str
    terms: tuple[str, ...]
    program: Program


@dataclass(frozen=True)
class Law:
    """Expressions of the latents that score classes.

    The value of a class's expression is its logit, and probabilities are the softmax. Of two
    classes it is the log-odds of the class, `f` and `-f`, and the probability is
    `1 / (1 + exp(-f))`. A value that is undefined counts as 0 (no evidence), one beyond +-1e6 as
    that.
    """

    class_names: tuple[str, ...]
    latent_names: tuple[str, ...]
    classes: tuple[ClassLaw, ...]

    @property
    def latents_used(self) -> tuple[str, ...]:
        """Names of the latents that an expression uses, in their order."""
        steps = [step for each in self.classes for step in each.program.steps]
        used = {step.argument for step in steps if step.kind == "variable"}
        return tuple(name for i, name in enumerate(self.latent_names) if i in used)

    def probabilities(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return class probabilities `(n, K)` of `latents` `(n, d)`."""
        heads = self.classes[1:] if len(self.classes) == 2 else self.classes
        logits, _ = evaluate_logits([head.program for head in heads], self._columns(latents))
        return np.asarray(np.exp(log_softmax(logits)))

    def decisions(
        self, latents: NDArray[np.floating], winners: NDArray[np.integer]
    ) -> dict[str, list[Any]]:
        """Return what decided on each particle, fit for JSON; of its class in `winners` `(n,)`.

        The `expression`, its `value`, and its `terms`: a dictionary of each term and its value,
        the largest first, which add up to the value. What is undefined or infinite is None.
        """
        columns = self._columns(latents)
        values = [0.0] * len(winners)
        terms: list[dict[str, float | None]] = [{} for _ in winners]
        for k in set(winners.tolist()):
            rows = np.flatnonzero(winners == k)
            own = [column[rows] for column in columns]
            totals, _ = bounded(self.classes[k].program.numpy(own))
            for row, value, each in zip(rows, totals.tolist(), self._terms(k, own), strict=True):
                values[row] = value
                terms[row] = {t.text: t.value if np.isfinite(t.value) else None for t in each}
        return {
            "expression": [self.classes[k].expression for k in winners],
            "value": values,
            "terms": terms,
        }

    def terms(self, latents: NDArray[np.floating]) -> dict[str, list[Term]]:
        """Return, for one particle's `latents` `(d,)`, each class's additive terms by size."""
        columns = self._columns(np.asarray(latents)[None])
        return {name: self._terms(k, columns)[0] for k, name in enumerate(self.class_names)}

    def _terms(self, k: int, columns: list[NDArray[np.float64]]) -> list[list[Term]]:
        """Return the terms of class `k` for each particle, those of the largest size first."""
        own = self.classes[k]
        found = []
        for row in np.stack(own.program.terms(columns), axis=1).tolist():
            terms = [Term(text, value) for text, value in zip(own.terms, row, strict=True)]
            found.append(sorted(terms, key=lambda term: -abs(term.value)))
        return found

    def _columns(self, latents: NDArray[np.floating]) -> list[NDArray[np.float64]]:
        return latent_columns(latents, self.latent_names)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and text that `from_dict` reads."""
        return {
            "class_names": list(self.class_names),
            "latent_names": list(self.latent_names),
            "expressions": [each.expression for each in self.classes],
            "latex": [each.latex for each in self.classes],
            "terms": [list(each.terms) for each in self.classes],
            "programs": [each.program.to_list() for each in self.classes],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Law:
        """Return the law that `to_dict` wrote.

        Raises
        ------
        DataError
            If a field is missing or does not fit the others.
        """
        fields = ("expressions", "latex", "terms", "programs")
        missing = {"class_names", "latent_names", *fields} - set(record)
        if missing:
            raise DataError(f"law: found no {', '.join(sorted(missing))}; fetch the model again")
        names, latents = tuple(record["class_names"]), tuple(record["latent_names"])
        for field in fields:
            if len(record[field]) != len(names):
                raise DataError(
                    f"law: {field}: found {len(record[field])}, expected one for each of "
                    f"{len(names)} classes; fetch the model again"
                )
        classes = [
            ClassLaw(expression, latex, tuple(terms), Program.from_list(steps, len(latents)))
            for expression, latex, terms, steps in zip(*map(record.get, fields), strict=True)
        ]
        for name, each in zip(names, classes, strict=True):
            found = len(each.program.terms([np.zeros(1)] * len(latents)))
            if len(each.terms) != found:
                raise DataError(
                    f"law: class {name!r}: found {found} terms, expected the {len(each.terms)} "
                    "named; fetch the model again"
                )
        return cls(names, latents, tuple(classes))


def latent_columns(
    latents: NDArray[np.floating], names: Sequence[str]
) -> list[NDArray[np.float64]]:
    """Return the columns `(n,)` of `latents` `(n, d)`, one for each of `names`.

    Raises
    ------
    DataError
        If the shape is another.
    """
    wide = np.asarray(latents, dtype=np.float64)
    if wide.ndim != 2 or wide.shape[1] != len(names):
        raise DataError(f"latents: found shape {wide.shape}, expected (n, {len(names)})")
    return list(wide.T)


def evaluate_logits(
    programs: Sequence[Program], columns: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """Return logits `(n, K)`, and the largest share of particles a program is undefined for.

    Parameters
    ----------
    programs
        One logit per class; or a single one, the log-odds of the second of two classes.
    columns
        Of each latent, `(n,)`.
    """
    pairs = [bounded(program.numpy(columns)) for program in programs]
    values = np.stack([v for v, _ in pairs], axis=1)
    return head_logits(values), max(rate for _, rate in pairs)
