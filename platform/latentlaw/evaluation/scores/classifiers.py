"""How well simple classifiers tell classes apart on latents, each fitted on training latents."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latentlaw.evaluation.head.head import classes_to_tell

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.str_]
ClassifierKind = Literal["knn", "logistic", "mlp"]
CLASSIFIERS: tuple[ClassifierKind, ...] = get_args(ClassifierKind)
_NEIGHBOURS = 5


def classify_latents(
    kind: ClassifierKind, train_mu: Array, train_labels: Labels, mu: Array, *, seed: int
) -> Labels:
    """Fit a classifier on training latents, and return its classes of `mu`, `(n,)`.

    `knn` votes among 5 neighbours by cosine, the similarity that the affinity term shapes;
    `logistic` weighs classes alike; `mlp` has one hidden layer of 50, L2 penalty 1. The last two
    standardise latents. Nothing is searched, so no validation set is needed.

    Parameters
    ----------
    kind
        `knn`, `logistic` or `mlp`.
    train_mu, mu
        Latent means `(n, d)`.
    train_labels
        Class names `(n,)`.
    seed
        Of the first weights of `mlp`.

    Raises
    ------
    DataError
        If the training particles hold fewer than two classes.
    """
    classes_to_tell(train_labels)
    classifier = _classifier(kind, len(train_mu), seed).fit(train_mu, train_labels)
    return np.asarray(classifier.predict(mu), dtype=np.str_)


def _classifier(kind: ClassifierKind, particles: int, seed: int) -> ClassifierMixin | Pipeline:
    if kind == "knn":
        return KNeighborsClassifier(min(_NEIGHBOURS, particles), metric="cosine")
    if kind == "logistic":
        model = LogisticRegression(max_iter=2000, class_weight="balanced")
    else:
        model = MLPClassifier(
            (50,), alpha=1.0, solver="lbfgs", max_iter=5000, tol=1e-3, random_state=seed
        )
    return make_pipeline(StandardScaler(), model)
