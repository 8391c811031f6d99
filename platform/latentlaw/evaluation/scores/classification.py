"""How well predicted classes agree with true ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

Labels = NDArray[np.str_]


def classification_scores(truth: Labels, predicted: Labels) -> dict[str, float]:
    """Accuracy and F1 averaged over the classes that occur; empty without particles.

    Parameters
    ----------
    truth, predicted
        Class names `(n,)`.
    """
    if not len(truth):
        return {}
    return {
        "classification/accuracy": float(accuracy_score(truth, predicted)),
        "classification/macro_f1": float(
            f1_score(truth, predicted, average="macro", labels=sorted(set(truth)), zero_division=0)
        ),
    }


def confusion(truth: Labels, predicted: Labels, class_names: list[str]) -> dict[str, Any]:
    """Return counts by true class (rows) and predicted class (columns), with F1 per class.

    Parameters
    ----------
    truth, predicted
        Class names `(n,)`.
    class_names
        The classes, in the order of rows and columns.
    """
    scores = f1_score(truth, predicted, average=None, labels=class_names, zero_division=0)
    return {
        "class_names": class_names,
        "counts": confusion_matrix(truth, predicted, labels=class_names).tolist(),
        "f1": dict(zip(class_names, np.asarray(scores).tolist(), strict=True)),
    }
