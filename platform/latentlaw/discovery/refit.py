"""Refit, simplify and round the constants of class equations by their log-loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy
from scipy.optimize import minimize

from latentlaw.discovery.expressions import complexity, snap, symbol, tidy
from latentlaw.discovery.programs import Program, bounded, compile_program
from latentlaw.discovery.scores import log_losses, log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Heads = tuple[sympy.Expr, ...]
SMOOTHING = 1e-3  # weight of the mean squared logit: keeps separable classes finite
SLACK = 0.01  # relative rise of the validation loss that a simpler form may cost
TRIES = 4


@dataclass(frozen=True)
class Sample:
    """Latents `(n, d)` float64 and labels `(n,)` of one split, and the latents' names."""

    latents: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]

    def one_vs_rest(self, k: int) -> Sample:
        """Return the same latents labelled 1 for class `k`, else 0."""
        return Sample(self.latents, (self.labels == k).astype(np.int64), self.names)


def head_logits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return class logits `(n, K)`; a single head `(n, 1)` is the log-odds of the second class."""
    return np.concatenate([-values / 2, values / 2], 1) if values.shape[1] == 1 else values


def evaluate_heads(heads: Heads, sample: Sample) -> NDArray[np.float64]:
    """Return class logits `(n, K)` of the heads on a sample."""
    columns = list(sample.latents.T)
    programs = [compile_program(head, sample.names) for head in heads]
    return head_logits(np.stack([bounded(p.numpy(columns))[0] for p in programs], axis=1))


def mean_loss(heads: Heads, sample: Sample) -> float:
    """Return the mean log-loss of the heads on a sample."""
    return float(log_losses(evaluate_heads(heads, sample), sample.labels).mean())


def parametrise(expression: sympy.Expr, start: int) -> tuple[sympy.Expr, list[float]]:
    """Return the expression with a symbol for each constant, and the constants' values.

    Each term of the sum gets a weight, and the sum an intercept, if it has none.
    """
    values: list[float] = []

    def fresh(value: float) -> sympy.Symbol:
        values.append(value)
        return symbol(f"_c{start + len(values) - 1}")

    def walk(node: sympy.Expr) -> sympy.Expr:
        if isinstance(node, sympy.Float):
            return fresh(float(node))
        return node.func(*map(walk, node.args)) if node.args else node

    parts, intercept = [], 0.0
    for term in sympy.Add.make_args(expression):
        weight, body = term.as_coeff_Mul()
        if body.is_number:
            intercept += float(term)
        else:
            parts.append(fresh(float(weight)) * walk(body))
    return sympy.Add(*parts, fresh(intercept)), values


class Objective:
    """Smoothed mean log-loss of heads as a function of all their constants, with its gradient.

    `mean(-log p) + s mean(f^2)`; `d/dc = mean_i sum_k (p_ik - y_ik + 2 s f_ik) df_ik/dc`.
    """

    def __init__(self, heads: Heads, sample: Sample) -> None:
        self.sample = sample
        self.structures: list[sympy.Expr] = []
        self.start: list[float] = []
        self.owner: list[int] = []
        for k, head in enumerate(heads):
            structure, values = parametrise(head, len(self.start))
            self.structures.append(structure)
            self.start += values
            self.owner += [k] * len(values)
        self.symbols = [symbol(f"_c{i}") for i in range(len(self.start))]
        names = (*sample.names, *(s.name for s in self.symbols))
        self.values: list[Program] = [compile_program(s, names) for s in self.structures]
        self.slopes: list[Program] = [
            compile_program(sympy.diff(self.structures[k], s), names)
            for k, s in zip(self.owner, self.symbols, strict=True)
        ]

    def __call__(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient at the constants `theta` `(m,)`."""
        columns = [*self.sample.latents.T, *theta]
        f = np.stack([bounded(p.numpy(columns))[0] for p in self.values], axis=1)
        log_p = log_softmax(head_logits(f))
        rows = np.arange(len(f))
        residual = np.exp(log_p)
        residual[rows, self.sample.labels] -= 1.0
        residual = residual[:, 1:] if f.shape[1] == 1 else residual
        residual = (residual + 2 * SMOOTHING * f) / len(f)
        loss = -log_p[rows, self.sample.labels].mean() + SMOOTHING * (f**2).sum(1).mean()
        slopes = [
            float(residual[:, k] @ bounded(p.numpy(columns))[0])
            for k, p in zip(self.owner, self.slopes, strict=True)
        ]
        return float(loss), np.asarray(slopes)

    def fill(self, theta: NDArray[np.float64]) -> Heads:
        """Return the heads with the constants `theta`."""
        swap = {s: sympy.Float(float(v)) for s, v in zip(self.symbols, theta, strict=True)}
        return tuple(tidy(s.xreplace(swap)) for s in self.structures)


def refit(heads: Heads, sample: Sample, *, iterations: int = 60) -> Heads:
    """Return the heads with constants that minimise the smoothed log-loss on `sample`."""
    objective = Objective(heads, sample)
    with np.errstate(all="ignore"):
        result = minimize(
            objective,
            np.asarray(objective.start),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations},
        )
    return objective.fill(result.x) if np.isfinite(result.x).all() else heads


def refit_if_better(
    heads: Heads, train: Sample, val: Sample, *, largest: int, iterations: int = 60
) -> Heads:
    """Return refitted heads if they lower the validation loss and stay within `largest` nodes."""
    fitted = refit(heads, train, iterations=iterations)
    if max(map(complexity, fitted)) > largest:
        return heads
    return fitted if mean_loss(fitted, val) < mean_loss(heads, val) else heads


def simplify(heads: Heads, train: Sample, val: Sample) -> Heads:
    """Drop terms while a refit keeps the validation loss within `SLACK` of where it began."""
    limit = mean_loss(heads, val) * (1 + SLACK) + 1e-4
    while True:
        shorter = sorted(_without_one_term(heads), key=lambda h: mean_loss(h, train))
        for trial in shorter[:TRIES]:
            fitted = refit(trial, train, iterations=40)
            smaller = sum(map(complexity, fitted)) < sum(map(complexity, heads))
            if smaller and mean_loss(fitted, val) <= limit:
                heads = fitted
                break
        else:
            return heads


def snap_heads(heads: Heads, val: Sample, *, digits: Sequence[int] = (2, 3, 4, 6)) -> Heads:
    """Round constants to the fewest digits that keep the validation loss within half `SLACK`."""
    limit = mean_loss(heads, val) * (1 + SLACK / 2) + 1e-4
    for count in digits:
        rounded = tuple(tidy(snap(head, count)) for head in heads)
        if mean_loss(rounded, val) <= limit:
            return rounded
    return heads


def _without_one_term(heads: Heads) -> list[Heads]:
    found = []
    for k, head in enumerate(heads):
        terms = sympy.Add.make_args(head)
        for i in range(len(terms)):
            rest = sympy.Add(*(t for j, t in enumerate(terms) if j != i))
            found.append((*heads[:k], rest, *heads[k + 1 :]))
    return found
