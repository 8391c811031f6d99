"""The accuracy-versus-complexity frontier of model families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from latentlaw.discovery.scores import accuracy, balanced_accuracy, macro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from latentlaw.discovery.latents import LatentData

BLACK_BOX_FAMILIES = ("cnn", "resnet")


class Scorer(Protocol):
    """A model that gives each class a logit."""

    @property
    def complexity(self) -> int:
        """What its family counts: weights, or nodes of trees or expressions."""

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, K)` of latents `(n, d)`."""


@dataclass(frozen=True)
class Rung:
    """A model's place on the frontier: its family, complexity and scores on unseen data.

    `val_balanced_accuracy` is what a choice between models may look at; None where not known.
    `expressions` are those of a model of equations, with the class that each is of.
    """

    family: str
    name: str
    complexity: int
    accuracy: float
    macro_f1: float
    balanced_accuracy: float
    val_balanced_accuracy: float | None = None
    expressions: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the record of `frontier.json`."""
        record: dict[str, Any] = {
            "family": self.family,
            "name": self.name,
            "complexity": self.complexity,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
        }
        return record | ({"expressions": dict(self.expressions)} if self.expressions else {})


def score_rung(
    family: str,
    name: str,
    complexity: int,
    *,
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    val_balanced_accuracy: float | None = None,
) -> Rung:
    """Return the rung of a model from predicted and true classes of test, both `(n,)`."""
    return Rung(
        family,
        name,
        complexity,
        accuracy(predicted, labels),
        macro_f1(predicted, labels),
        balanced_accuracy(predicted, labels),
        val_balanced_accuracy,
    )


def model_rung(data: LatentData, model: Scorer, family: str, name: str) -> Rung:
    """Score a model of the latents of `data` on its test split."""
    return score_rung(
        family,
        name,
        model.complexity,
        predicted=model.logits(data.test.latents).argmax(axis=1),
        labels=data.test.labels,
        val_balanced_accuracy=balanced_accuracy(
            model.logits(data.val.latents).argmax(axis=1), data.val.labels
        ),
    )


def black_box(rungs: Sequence[Rung]) -> Rung | None:
    """Return the black box that the others are measured by: the best on validation.

    Of equal ones the simpler; None if there is none.

    Raises
    ------
    ValueError
        If there are several and the validation accuracy of one is not known.
    """
    boxes = sorted(
        (r for r in rungs if r.family in BLACK_BOX_FAMILIES), key=lambda r: r.complexity
    )
    if len(boxes) < 2:
        return boxes[0] if boxes else None
    known = [r.val_balanced_accuracy for r in boxes if r.val_balanced_accuracy is not None]
    if len(known) < len(boxes):
        raise ValueError("black boxes are compared by validation accuracy, and one has none")
    return boxes[known.index(max(known))]
