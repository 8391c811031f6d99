"""From a pool of expressions a class to whole models, chosen on the validation split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentlaw.discovery.expressions import complexity, to_text
from latentlaw.discovery.refit import (
    Heads,
    Sample,
    evaluate_heads,
    mean_loss,
    refit_if_better,
    simplify,
    snap_heads,
)
from latentlaw.discovery.scores import accuracy, log_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import sympy
    from numpy.typing import NDArray

CAPS = (3, 5, 7, 9, 12, 16, 20, 25)
POINTS_LOST = 0.01
ERRORS_ALLOWED = 3.0


@dataclass(frozen=True)
class Scored:
    """An expression of one head with its size and its log-loss on training and validation."""

    expression: sympy.Expr
    complexity: int
    loss: float


@dataclass(frozen=True)
class Assembled:
    """One expression a head, with the validation losses `(n_val,)` and accuracy of the whole."""

    heads: Heads
    complexity: int
    losses: NDArray[np.float64]
    accuracy: float


def score_pool(
    pool: Sequence[sympy.Expr], train: Sample, val: Sample, *, largest: int
) -> list[Scored]:
    """Refit each expression as a one-vs-rest logit and keep the Pareto front of size and loss.

    The loss is the log-loss over training and validation particles together, which is steadier
    than validation alone on small data; whole models are compared on validation only.
    """
    scored, seen = [], set()
    n, m = len(train.labels), len(val.labels)
    for expression in pool:
        (fitted,) = refit_if_better((expression,), train, val, largest=largest, iterations=40)
        text = to_text(fitted)
        if text in seen:
            continue
        seen.add(text)
        loss = (n * mean_loss((fitted,), train) + m * mean_loss((fitted,), val)) / (n + m)
        scored.append(Scored(fitted, complexity(fitted), loss))
    scored.sort(key=lambda s: (s.complexity, s.loss, to_text(s.expression)))
    front: list[Scored] = []
    for item in scored:
        if not front or item.loss < front[-1].loss:
            front.append(item)
    return front


def assemble(
    fronts: Sequence[Sequence[Scored]], train: Sample, val: Sample, *, largest: int
) -> list[Assembled]:
    """Return whole models for growing caps on the nodes of each expression, smallest first.

    For each cap: the best expression a head, constants refitted jointly, terms dropped, constants
    rounded.
    """
    found: dict[tuple[str, ...], Assembled] = {}
    done: set[tuple[str, ...]] = set()
    for cap in (*(c for c in CAPS if c < largest), largest):
        picks = tuple(_pick(front, cap).expression for front in fronts)
        key = tuple(map(to_text, picks))
        if key in done:
            continue
        done.add(key)
        heads = refit_if_better(picks, train, val, largest=largest)
        heads = snap_heads(simplify(heads, train, val), val)
        logits = evaluate_heads(heads, val)
        found[tuple(map(to_text, heads))] = Assembled(
            heads,
            sum(map(complexity, heads)),
            log_losses(logits, val.labels),
            accuracy(logits.argmax(1), val.labels),
        )
    return sorted(found.values(), key=lambda a: (a.complexity, float(a.losses.mean())))


def choose(models: Sequence[Assembled]) -> Assembled:
    """Return the smallest model that validation does not show to be worse.

    It loses at most `POINTS_LOST` of accuracy to the most accurate model, and its log-loss is
    within `ERRORS_ALLOWED` standard errors (of the paired difference) of the lowest. `models`
    are sorted by complexity.
    """
    best = min(models, key=lambda a: (float(a.losses.mean()), a.complexity))
    top = max(model.accuracy for model in models)
    for model in models:
        worse = model.losses - best.losses
        error = float(worse.std(ddof=1)) / len(worse) ** 0.5 if len(worse) > 1 else 0.0
        close = float(worse.mean()) <= ERRORS_ALLOWED * error
        if close and model.accuracy >= top - POINTS_LOST:
            return model
    return best


def _pick(front: Sequence[Scored], cap: int) -> Scored:
    small = [item for item in front if item.complexity <= cap]
    return min(small or front[:1], key=lambda s: (s.loss, s.complexity))
