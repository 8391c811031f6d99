"""Explain a decision of equations: what decided, by how much, and what would have changed it.

The smallest change of the latents that flips the class (a counterfactual: Wachter et al. 2018,
arXiv 1711.00399) is the solution of

    minimise |(z' - z) / sigma|  such that  f_k(z') >= f_w(z')  for a class k not the winner w.

Expressions may have several boundaries, so rays from the particle look for the near ones, and
sequential quadratic programming (SLSQP) goes from there to the nearest point of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize

from latentlaw.discovery.equations.expressions import to_text
from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from latentlaw.discovery.equations.model import EquationModel

    Array = NDArray[np.float64]

FARTHEST = 10.0  # standard deviations: there are no particles beyond
_RAYS, _STEPS = 512, 200
_STARTS = 4  # nearest crossings that are polished, for each class that rays reach
_BEYOND = 1e-6  # by how much the other class has to win, of the margin or of 1


@dataclass(frozen=True)
class TermShare:
    """An additive term of an expression, its value, and its share of the terms' absolute sum."""

    text: str
    value: float
    share: float


@dataclass(frozen=True)
class Flip:
    """The smallest change of the latents that gives another class.

    Attributes
    ----------
    class_name
        The class that wins after it.
    latents
        Latents `(d,)` after it; those that no expression uses are as before.
    steps
        `(latents - before) / sigma`, in standard deviations, `(d,)`.
    """

    class_name: str
    latents: Array
    steps: Array

    @property
    def distance(self) -> float:
        """Length of the change, in standard deviations."""
        return float(np.linalg.norm(self.steps))


@dataclass(frozen=True)
class Explanation:
    """Why one particle got its class.

    Attributes
    ----------
    latents
        `(d,)`, by the names in `latent_names`.
    winner, runner_up
        The classes with the highest and second highest logit.
    margin
        Logit of the winner less that of the runner-up: the log of the odds between these two.
    values
        Value of each class's expression.
    expressions, terms
        Of each class, terms by size.
    flip
        None where no change of up to `FARTHEST` standard deviations was found to flip the class.
    """

    latents: Array
    latent_names: tuple[str, ...]
    winner: str
    runner_up: str
    margin: float
    values: dict[str, float]
    expressions: dict[str, str]
    terms: dict[str, tuple[TermShare, ...]]
    flip: Flip | None

    def to_dict(self) -> dict[str, Any]:
        """Return a record of `explanation.json`."""
        named = dict(zip(self.latent_names, self.latents.tolist(), strict=True))
        flip = None
        if self.flip is not None:
            moves = zip(self.flip.latents.tolist(), self.flip.steps.tolist(), strict=True)
            flip = {
                "class": self.flip.class_name,
                "distance_sd": self.flip.distance,
                "latents": {
                    name: {"before": before, "after": after, "step_sd": step}
                    for (name, before), (after, step) in zip(named.items(), moves, strict=True)
                    if step
                },
            }
        return {
            "class": self.winner,
            "runner_up": self.runner_up,
            "margin": self.margin,
            "latents": named,
            "expressions": {
                name: {
                    "expression": self.expressions[name],
                    "value": self.values[name],
                    "terms": [
                        {"term": t.text, "value": t.value, "share": t.share}
                        for t in self.terms[name]
                    ],
                }
                for name in self.expressions
            },
            "flip": flip,
        }


def explain_decision(
    model: EquationModel, latents: NDArray[np.floating], sigma: Array
) -> Explanation:
    """Explain the class of one particle.

    Parameters
    ----------
    model
        Decides the class.
    latents
        Latent means `(d,)`.
    sigma
        Standard deviation of each latent over the training particles `(d,)`, positive: the unit
        of distance.

    Raises
    ------
    DataError
        If latents are not finite, or shapes do not fit.
    """
    z, unit = np.asarray(latents, dtype=np.float64), np.asarray(sigma, dtype=np.float64)
    expected = (len(model.latent_names),)
    if z.shape != expected or unit.shape != expected:
        raise DataError(
            f"latents and sigma: found {z.shape} and {unit.shape}, expected {expected}"
        )
    if not np.isfinite(z).all() or not (unit > 0).all():
        raise DataError("latents: found NaN or infinite values, expected finite ones")
    logits = model.logits(z[None])[0]
    first = int(logits.argmax())  # of equal ones the first, as the model answers
    second = int(np.delete(np.arange(len(logits)), first)[np.delete(logits, first).argmax()])
    terms = _terms(model, z)
    return Explanation(
        latents=z,
        latent_names=model.latent_names,
        winner=model.class_names[first],
        runner_up=model.class_names[second],
        margin=float(logits[first] - logits[second]),
        values={name: sum(t.value for t in own) for name, own in terms.items()},
        expressions={
            name: to_text(e) for name, e in zip(model.class_names, model.expressions, strict=True)
        },
        terms=terms,
        flip=smallest_flip(model, z, unit),
    )


def smallest_flip(model: EquationModel, latents: Array, sigma: Array) -> Flip | None:
    """Return the smallest change that flips the class; None if none up to `FARTHEST` is found.

    Parameters
    ----------
    model
        Decides the class.
    latents, sigma
        `(d,)`, as in `explain`.
    """
    used = np.array([name in model.latents for name in model.latent_names])
    if not used.any():
        return None
    walk = _Walk(model, latents, sigma, np.flatnonzero(used))
    best = min(walk.flips(), key=lambda change: float(np.linalg.norm(change)), default=None)
    if best is None:
        return None
    reached = int(walk.classes(best[None])[0])
    steps = np.zeros_like(latents)
    steps[used] = best
    return Flip(model.class_names[reached], walk.latents(best[None])[0], steps)


def _terms(model: EquationModel, z: Array) -> dict[str, tuple[TermShare, ...]]:
    shares = {}
    for name, own in model.law.terms(z).items():
        total = sum(abs(term.value) for term in own) or 1.0
        shares[name] = tuple(TermShare(t.text, t.value, abs(t.value) / total) for t in own)
    return shares


class _Walk:
    """Changes `(n, used)` of one particle's used latents, in standard deviations."""

    def __init__(
        self, model: EquationModel, latents: Array, sigma: Array, used: NDArray[np.intp]
    ) -> None:
        self._model, self._start, self._used = model, latents, used
        self._sigma = sigma[used]
        self._winner = int(self.classes(np.zeros((1, len(used))))[0])
        logits = model.logits(latents[None])[0]
        margins = logits[self._winner] - np.delete(logits, self._winner)
        self._beyond = _BEYOND * max(1.0, float(margins.min()))

    def latents(self, changes: Array) -> Array:
        """Return the latents `(n, d)` after changes."""
        moved = np.repeat(self._start[None], len(changes), axis=0)
        moved[:, self._used] += changes * self._sigma
        return moved

    def classes(self, changes: Array) -> NDArray[np.int64]:
        """Return the classes `(n,)` after changes."""
        return self._model.predict(self.latents(changes))

    def flips(self) -> Iterator[Array]:
        """Yield changes `(used,)` that flip the class, the nearest of each boundary among them."""
        for crossing, reached in self._crossings():
            yield crossing
            change = self._polished(crossing, reached)
            near = np.linalg.norm(change) <= FARTHEST
            if near and self.classes(change[None])[0] != self._winner:
                yield change

    def _crossings(self) -> Iterator[tuple[Array, int]]:
        """Yield the nearest places on rays where another class wins, and which."""
        rng = np.random.default_rng(0)  # the same rays for the same latents
        axes = np.eye(len(self._used))
        rays = np.concatenate((axes, -axes, rng.normal(size=(_RAYS, len(axes)))))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        lengths = np.linspace(0, FARTHEST, _STEPS + 1)[1:]
        points = rays[:, None] * lengths[:, None]
        classes = self.classes(points.reshape(-1, len(axes))).reshape(len(rays), _STEPS)
        crossed = classes != self._winner
        rows = np.flatnonzero(crossed.any(axis=1))
        steps = crossed[rows].argmax(axis=1)
        reached = classes[rows, steps]
        for k in np.unique(reached):
            own = np.flatnonzero(reached == k)
            for i in own[np.argsort(steps[own], kind="stable")[:_STARTS]]:
                yield points[rows[i], steps[i]], int(k)

    def _polished(self, start: Array, reached: int) -> Array:
        """Return the change nearest to none, from `start`, after which class `reached` wins."""

        def lead(change: Array) -> tuple[float, Array]:
            leaf = torch.as_tensor(change, dtype=torch.float64).requires_grad_(True)
            moved = torch.as_tensor(self._start).index_add(
                0, torch.as_tensor(self._used), leaf * torch.as_tensor(self._sigma)
            )
            logits = self._model.torch_logits(moved[None])[0]
            value = logits[reached] - logits[self._winner] - self._beyond
            slope = torch.autograd.grad(value, leaf)[0]
            return value.item(), np.nan_to_num(slope.numpy())

        found = minimize(
            lambda change: 0.5 * float(change @ change),
            start,
            jac=lambda change: change,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda change: lead(change)[0],
                "jac": lambda change: lead(change)[1],
            },
            options={"maxiter": 200, "ftol": 1e-12},
        )
        result: Array = found.x
        return result
