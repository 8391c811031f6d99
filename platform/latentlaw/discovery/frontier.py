"""The accuracy-versus-complexity frontier of model families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentlaw.discovery.scores import accuracy, balanced_accuracy, macro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

FAMILIES = ("cnn", "dense", "logistic", "sparse", "equation")


@dataclass(frozen=True)
class Rung:
    """A model's place on the frontier: its family, complexity and scores on unseen data."""

    family: str
    name: str
    complexity: int
    accuracy: float
    macro_f1: float
    balanced_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Return the record of `frontier.json`."""
        return {
            "family": self.family,
            "name": self.name,
            "complexity": self.complexity,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
        }


def score_rung(
    family: str,
    name: str,
    complexity: int,
    *,
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> Rung:
    """Return the rung of a model from predicted and true classes, both `(n,)`."""
    return Rung(
        family,
        name,
        complexity,
        accuracy(predicted, labels),
        macro_f1(predicted, labels),
        balanced_accuracy(predicted, labels),
    )


def pareto(rungs: Sequence[Rung]) -> list[Rung]:
    """Return the rungs that no other beats: none is as simple and more accurate, or the reverse.

    Sorted by complexity; accuracy rises strictly along it. Of equal rungs the first is kept.
    """
    front: list[Rung] = []
    for rung in sorted(rungs, key=lambda r: (r.complexity, -r.accuracy)):
        if not front or rung.accuracy > front[-1].accuracy:
            front.append(rung)
    return front
