"""Schedules of a loss weight over the epochs (cyclic annealing, Fu et al. 2019)."""

import math
from typing import Literal

ScheduleKind = Literal["constant", "ramp", "cyclic_linear", "cyclic_sigmoid", "cyclic_cosine"]


def weight_schedule(
    kind: ScheduleKind,
    epochs: int,
    maximum: float,
    *,
    minimum: float = 0.0,
    cycles: int = 4,
    ratio: float = 0.5,
) -> list[float]:
    """Return the weight of each epoch.

    Parameters
    ----------
    kind
        `constant` holds `maximum`; `ramp` rises once over the first `ratio` of the epochs; the
        cyclic ones rise in the first `ratio` of each of `cycles` cycles, in the shape named.
    epochs
        How many there are.
    maximum, minimum
        Weight at the top and at the bottom of a rise.
    cycles
        Rises of a cyclic schedule over the epochs.
    ratio
        Share of a cycle spent rising; 0 steps straight to `maximum`.

    Examples
    --------
    >>> weight_schedule("ramp", epochs=6, maximum=1.0)
    [0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 1.0, 1.0]
    >>> weight_schedule("cyclic_linear", epochs=8, maximum=1.0, cycles=2)
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]
    """
    if kind == "constant":
        return [maximum] * epochs
    period = epochs if kind == "ramp" else epochs / cycles
    rising = period * ratio
    weights = []
    for epoch in range(epochs):
        position = epoch % period
        progress = min(1.0, position / rising) if rising > 0 else 1.0
        weights.append(minimum + (maximum - minimum) * _shape(kind, progress))
    return weights


def _shape(kind: ScheduleKind, progress: float) -> float:
    """Map progress in [0, 1] to a height in [0, 1]; 1 is always reached."""
    if progress >= 1.0:
        return 1.0
    if kind == "cyclic_sigmoid":
        return 1 / (1 + math.exp(-(12 * progress - 6)))
    if kind == "cyclic_cosine":
        return 0.5 - 0.5 * math.cos(math.pi * progress)
    return progress
