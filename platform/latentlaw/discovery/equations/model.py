"""A classifier of equations: one expression of the latents per class; numpy and SymPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import (
    complexity,
    latents_of,
    parse,
    symbol,
    terms_of,
    tidy,
    to_latex,
    to_text,
)
from latentlaw.discovery.equations.law import ClassLaw, Law, evaluate_logits, latent_columns
from latentlaw.discovery.equations.programs import Program, bounded_torch
from latentlaw.discovery.scores import log_softmax
from latentlaw.errors import DataError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class EquationModel:
    """Expressions that score classes.

    With three or more classes, `heads` holds one logit per class and probabilities are their
    softmax. With two, `heads` holds the single log-odds `f` of the second class, the first
    class's expression is `-f`, and the probability is `1 / (1 + exp(-f))`.
    """

    class_names: tuple[str, ...]
    latent_names: tuple[str, ...]
    heads: tuple[sympy.Expr, ...]

    def __post_init__(self) -> None:
        expected = 1 if len(self.class_names) == 2 else len(self.class_names)
        if len(self.heads) != expected:
            raise DataError(
                f"equations: found {len(self.heads)} fitted expressions, expected {expected} for "
                f"{len(self.class_names)} classes"
            )

    @cached_property
    def expressions(self) -> tuple[sympy.Expr, ...]:
        """One expression per class."""
        if len(self.class_names) == 2:
            return (negative(self.heads[0]), self.heads[0])
        return self.heads

    @cached_property
    def _programs(self) -> tuple[Program, ...]:
        return tuple(compile_program(head, self.latent_names) for head in self.heads)

    @cached_property
    def law(self) -> Law:
        """What is stored and served of the model, for which SymPy is not needed."""
        classes = tuple(
            ClassLaw(
                expression=to_text(each),
                latex=to_latex(each),
                terms=tuple(map(to_text, terms_of(each))),
                program=compile_program(each, self.latent_names),
            )
            for each in self.expressions
        )
        return Law(self.class_names, self.latent_names, classes)

    @property
    def complexity(self) -> int:
        """Nodes of all classes' expressions together."""
        return sum(complexity(e) for e in self.expressions)

    @property
    def latents(self) -> tuple[str, ...]:
        """Names of the latents that any expression uses."""
        used = {name for head in self.heads for name in latents_of(head)}
        return tuple(name for name in self.latent_names if name in used)

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, K)` of `latents` `(n, d)`; undefined values are 0."""
        return evaluate_logits(self._programs, latent_columns(latents, self.latent_names))[0]

    def nan_rate(self, latents: NDArray[np.floating]) -> float:
        """Return the largest share of particles for which an expression is undefined.

        Parameters
        ----------
        latents
            `(n, d)`.
        """
        return evaluate_logits(self._programs, latent_columns(latents, self.latent_names))[1]

    def predict_proba(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return class probabilities `(n, K)` of `latents` `(n, d)`."""
        probabilities: NDArray[np.float64] = np.exp(log_softmax(self.logits(latents)))
        return probabilities

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return class indices `(n,)` of `latents` `(n, d)`."""
        chosen: NDArray[np.int64] = self.logits(latents).argmax(axis=1).astype(np.int64)
        return chosen

    def torch_logits(self, z: torch.Tensor) -> torch.Tensor:
        """Return differentiable logits `(n, K)` of latents `z` `(n, d)`."""
        import torch

        values = torch.stack([bounded_torch(p.torch(z)) for p in self._programs], dim=1)
        return torch.cat([-values / 2, values / 2], dim=1) if len(self.heads) == 1 else values

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and text that `from_dict` reads, and `Law.from_dict`."""
        return self.law.to_dict()

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> EquationModel:
        """Return the model that `to_dict` wrote, from the text of its expressions.

        Raises
        ------
        DataError
            If a field is missing, or an expression is not arithmetic of the latents.
        """
        missing = {"class_names", "latent_names", "expressions"} - set(record)
        if missing:
            raise DataError(
                f"equations: found no {', '.join(sorted(missing))}; fetch the model again"
            )
        names = tuple(record["latent_names"])
        classes = tuple(record["class_names"])
        if len(record["expressions"]) != len(classes):
            raise DataError(
                f"equations: found {len(record['expressions'])} expressions for "
                f"{len(classes)} classes, expected one per class"
            )
        built = tuple(parse(text, names) for text in record["expressions"])
        return cls(classes, names, built[1:] if len(classes) == 2 else built)


def negative(expression: sympy.Expr) -> sympy.Expr:
    """Return the shorter of two forms of `-f`: the sign in each term, or all multiplied out."""
    by_term = sympy.Add(*(-term for term in sympy.Add.make_args(expression)))
    return min((tidy(by_term), tidy(sympy.expand_mul(-expression))), key=complexity)


def unscale(
    expression: sympy.Expr, names: tuple[str, ...], shift: list[float], scale: list[float]
) -> sympy.Expr:
    """Return an expression of scaled latents in the latents themselves: `z -> (z-shift)/scale`."""
    swap = {
        symbol(name): (symbol(name) - sympy.Float(a) if a else symbol(name))
        / (sympy.Float(b) if b != 1 else 1)
        for name, a, b in zip(names, shift, scale, strict=True)
        if a or b != 1
    }
    return expression.xreplace(swap)
