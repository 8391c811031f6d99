"""Refit, prune and round the constants of class equations.

Constants are fitted by Levenberg-Marquardt steps; for a logit that is linear in its constants,
under the logistic loss, these are iteratively reweighted least squares. The same matrix of second
derivatives says what each constant is worth (optimal brain surgeon, Hassibi and Stork 1993).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import sympy

from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import complexity, is_readable, snap, symbol, tidy
from latentlaw.discovery.equations.programs import LIMIT, bounded
from latentlaw.discovery.scores import head_logits, log_losses, log_softmax, particle_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

Heads = tuple[sympy.Expr, ...]
SMOOTHING = 1e-3  # weight of the mean squared logit: keeps separable classes finite
ROUNDING_LOSS = 2e-3  # relative rise of the loss that rounded constants may cost
CONVERGED = 1e-6  # relative fall of the loss at which a fit ends
NEAR_ZERO = 1e-3  # where a new intercept starts
ITERATIONS = 40  # most steps of a fit
DIGITS = (2, 3, 4, 6)  # that constants are rounded to, the fewest that do


@dataclass(frozen=True)
class Sample:
    """Particles to fit: latents `(n, d)` float64, labels `(n,)`, and the latents' names.

    `logits` `(n, H)` are a teacher's, one per head; where they are given, equations are fitted to
    them by least squares, else to the labels under the logistic loss. `weights` `(n,)` of mean 1
    say how much each particle counts; None: all alike.
    """

    latents: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    logits: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def balanced(self) -> Sample:
        """Return the sample with weights that let the classes count alike."""
        return replace(self, weights=particle_weights(self.labels))

    def one_vs_rest(self, k: int) -> Sample:
        """Return the same latents for head `k` alone: its logits, labels 1 for its class, else 0.

        Weights, where there are any, let the class and the rest count alike.
        """
        labels = (self.labels == k).astype(np.int64)
        logits = None if self.logits is None else self.logits[:, [k]]
        alone = replace(self, labels=labels, logits=logits)
        return alone if self.weights is None else alone.balanced()

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Sample:
        """Return the particles at `rows`, indices or a mask `(n,)`, with the weights they have."""

        def some(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
            return None if values is None else values[rows]

        return Sample(
            self.latents[rows],
            self.labels[rows],
            self.names,
            some(self.logits),
            some(self.weights),
        )

    def losses(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted loss `(n,)` of each particle for values `(n, H)` of the heads."""
        if self.logits is not None:
            losses: Vector = ((values - self.logits) ** 2).sum(1)
        else:
            losses = log_losses(head_logits(values), self.labels)
        return losses if self.weights is None else losses * self.weights

    def objective(self, values: NDArray[np.float64]) -> float:
        """Return what constants are fitted to: the mean loss, and on labels a small penalty.

        The penalty `s mean(f^2)` of the values `f` `(n, H)` of the heads keeps constants finite
        where classes can be separated.
        """
        loss = float(self.losses(values).mean())
        if self.logits is not None:
            return loss
        size = (values**2).sum(1)
        return loss + SMOOTHING * float(np.average(size, weights=self.weights))

    def derivatives(
        self, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return first `(n, H)` and second `(n, H, H)` derivatives of the objective by the heads.

        The second are 2 for least squares, and `diag(p) - p p^T + 2 s` for the softmax.
        """
        n, heads = values.shape
        same = np.eye(heads)
        weights = np.ones(n) if self.weights is None else self.weights
        if self.logits is not None:
            first = 2 * (values - self.logits) * weights[:, None]
            return first, 2 * same * weights[:, None, None]
        p = np.exp(log_softmax(head_logits(values)))
        residual = p.copy()
        residual[np.arange(n), self.labels] -= 1.0
        residual, p = residual[:, -heads:], p[:, -heads:]
        first = residual + 2 * SMOOTHING * values
        second = p[:, :, None] * (same - p[:, None, :]) + 2 * SMOOTHING * same
        return first * weights[:, None], second * weights[:, None, None]


def head_values(heads: Heads, sample: Sample) -> NDArray[np.float64]:
    """Return the values `(n, H)` of the heads on a sample."""
    columns = list(sample.latents.T)
    programs = [compile_program(head, sample.names) for head in heads]
    return np.stack([bounded(p.numpy(columns))[0] for p in programs], axis=1)


def mean_loss(heads: Heads, sample: Sample) -> float:
    """Return the mean loss of the heads on a sample."""
    return float(sample.losses(head_values(heads, sample)).mean())


def loosened(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression with a float weight for each term of its sum, and an intercept.

    SymPy drops a term of 0.0, so a new intercept starts at `NEAR_ZERO`.
    """
    parts, intercept = [], 0.0
    for term in sympy.Add.make_args(expression):
        weight, body = term.as_coeff_Mul()
        if body.is_number:
            intercept += float(term)
        else:
            parts.append(sympy.Float(float(weight)) * body)
    return sympy.Add(*parts, sympy.Float(intercept or NEAR_ZERO))


def parametrise(expression: sympy.Expr, start: int) -> tuple[sympy.Expr, list[float]]:
    """Return the expression with a symbol `_c<i>`, from `start` on, for each float constant."""
    values: list[float] = []

    def walk(node: sympy.Expr) -> sympy.Expr:
        if isinstance(node, sympy.Float):
            values.append(float(node))
            return symbol(f"_c{start + len(values) - 1}")
        if node.is_Pow:
            return walk(node.base) ** node.exp  # exponents are structure
        return node.func(*map(walk, node.args)) if node.args else node

    return walk(expression), values


class Objective:
    """The objective of a sample as a function of all the float constants of heads."""

    def __init__(self, heads: Heads, sample: Sample) -> None:
        self.structures: list[sympy.Expr] = []
        start: list[float] = []
        self.owners: list[list[int]] = []  # the constants of each head
        for head in heads:
            structure, values = parametrise(head, len(start))
            self.owners.append(list(range(len(start), len(start) + len(values))))
            self.structures.append(structure)
            start += values
        self.start = np.asarray(start)
        self.symbols = [symbol(f"_c{i}") for i in range(len(start))]
        names = (*sample.names, *(s.name for s in self.symbols))
        self._programs = [compile_program(s, names) for s in self.structures]
        self._given = len(sample.names)
        self._sample = sample
        self._columns = list(sample.latents.T)

    def use(self, sample: Sample) -> Objective:
        """Take another sample of the same latents; returns itself."""
        self._sample, self._columns = sample, list(sample.latents.T)
        return self

    def values(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values `(n, H)` of the heads at the constants `theta` `(m,)`."""
        columns = [*self._columns, *theta]
        return np.stack([bounded(p.numpy(columns))[0] for p in self._programs], axis=1)

    def loss(self, theta: NDArray[np.float64]) -> float:
        """Return the objective at the constants `theta` `(m,)`."""
        return self._sample.objective(self.values(theta))

    def expand(
        self, theta: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Return loss, gradient `(m,)` and Gauss-Newton matrix `(m, m)` at the constants `theta`.

        The matrix is `mean_i J_i^T W_i J_i` with the derivatives `J` of the heads by the constants
        and `W` the second derivatives of the loss by the heads; on labels it is the Fisher
        information.
        """
        columns = [*self._columns, *theta]
        parts = [
            _defined(*p.jacobian(columns, [self._given + i for i in own]))
            for p, own in zip(self._programs, self.owners, strict=True)
        ]
        f = np.stack([value for value, _ in parts], axis=1)
        residual, weights = self._sample.derivatives(f)
        slopes = [j for _, j in parts]
        gradient = np.concatenate([j @ residual[:, k] for k, j in enumerate(slopes)]) / len(f)
        matrix = np.empty((len(theta), len(theta)))
        for k, left in enumerate(slopes):
            for m, right in enumerate(slopes):
                block = (left * weights[:, k, m]) @ right.T / len(f)
                matrix[np.ix_(self.owners[k], self.owners[m])] = block
        return self._sample.objective(f), gradient, matrix

    def minimise(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return constants `(m,)` that minimise the objective, from `theta` on."""
        return levenberg_marquardt(self.expand, self.loss, theta)

    def fill(self, theta: NDArray[np.float64]) -> Heads:
        """Return the heads with the constants `theta` `(m,)`."""
        swap = {s: sympy.Float(float(v)) for s, v in zip(self.symbols, theta, strict=True)}
        return tuple(tidy(s.xreplace(swap)) for s in self.structures)

    def without(self, dropped: int) -> Heads:
        """Return the heads at `start` with the constant `dropped` set to zero."""
        swap = {
            s: sympy.Float(float(v)) if i != dropped else sympy.S.Zero
            for i, (s, v) in enumerate(zip(self.symbols, self.start, strict=True))
        }
        return tuple(tidy(s.xreplace(swap)) for s in self.structures)


def levenberg_marquardt(
    expand: Callable[[Vector], tuple[float, Vector, Vector]],
    loss: Callable[[Vector], float],
    theta: Vector,
) -> Vector:
    """Return the `theta` `(m,)` that minimises `loss`, by damped Gauss-Newton steps.

    `expand` gives loss, gradient and Gauss-Newton matrix (Marquardt 1963: the damping is relative
    to the matrix's diagonal).
    """
    now, gradient, matrix = expand(theta)
    damping = 1e-3
    for _ in range(ITERATIONS):
        if not np.isfinite(matrix).all():
            break
        trial = theta - np.linalg.solve(_ridged(matrix, damping), gradient)
        lower = loss(trial)
        if lower < now:
            done = now - lower <= CONVERGED * now
            theta, damping = trial, max(damping / 10, 1e-9)
            if done:
                break
            now, gradient, matrix = expand(theta)
        elif (damping := damping * 10) > 1e6:
            break
    return theta


def worth(theta: Vector, matrix: Vector) -> Vector:
    """Return what each constant `(m,)` is worth: the rise of the loss if it is set to zero.

    `c^2 / (2 [H^-1]_cc)`, to second order and with the others following (Hassibi and Stork 1993,
    equation 5).
    """
    saved: Vector = theta**2 / (2 * np.diag(np.linalg.inv(_ridged(matrix, 1e-8))))
    return saved


def refit(heads: Heads, sample: Sample) -> Heads:
    """Return the heads with constants that minimise the smoothed log-loss on `sample`."""
    objective = Objective(heads, sample)
    if not len(objective.start):
        return heads
    return objective.fill(objective.minimise(objective.start))


def elimination_path(heads: Heads, sample: Sample) -> Iterator[Heads]:
    """Yield smaller and smaller heads, each without the constant that was worth least.

    What is left is refitted.
    """
    while True:
        objective = Objective(heads, sample)
        if not len(objective.start):
            return
        _, _, matrix = objective.expand(objective.start)
        saved = worth(objective.start, matrix)
        size = sum(map(complexity, heads))
        for dropped in np.argsort(saved, kind="stable"):
            smaller = objective.without(int(dropped))
            if _is_usable(smaller) and sum(map(complexity, smaller)) < size:
                heads = refit(smaller, sample)
                break
        else:
            return
        yield heads


def round_constants(heads: Heads, sample: Sample) -> Heads:
    """Round constants to the fewest digits that keep the loss within `ROUNDING_LOSS`."""
    limit = mean_loss(heads, sample) * (1 + ROUNDING_LOSS) + 1e-6
    for count in DIGITS:
        rounded = tuple(tidy(snap(head, count)) for head in heads)
        if mean_loss(rounded, sample) <= limit:
            return rounded
    return heads


def _defined(
    values: NDArray[np.float64], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bounded values, and slopes of 0 where a value is undefined or at its bound."""
    usable = np.isfinite(values) & (np.abs(values) < LIMIT)
    return bounded(values)[0], np.where(usable & np.isfinite(slopes), slopes, 0.0)


def _ridged(matrix: Vector, damping: float) -> Vector:
    ridged: Vector = matrix + np.diag(damping * np.diag(matrix) + 1e-12)
    return ridged


def _is_usable(heads: Heads) -> bool:
    return all(map(is_readable, heads))
