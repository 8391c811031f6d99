"""What turns a latent into an answer: class, probability and novelty, learned on training latents.

The head is plain numbers, so that it travels as JSON with the model.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from latentlaw.errors import DataError
from latentlaw.evaluation.head.conformal import calibration_scores, novelty_of
from latentlaw.evaluation.head.densities import ClassDensities

Array = NDArray[np.floating[Any]]


class LatentHead(BaseModel):
    """Logistic regression on latents, and a novelty score by the density of the classes.

    Attributes
    ----------
    weights, bias
        Logits are `(mu - mean) / scale @ weights.T + bias`; `weights` is `(classes, d)`.
    densities
        Of the classes, in the order of their names.
    calibration
        Sorted novelty scores of known particles, of the validation split. Models logged before
        hold 101 quantiles of them (`novelty_quantiles`), whose rate is right about, not at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    densities: ClassDensities
    calibration: tuple[float, ...] = Field(
        validation_alias=AliasChoices("calibration", "novelty_quantiles")
    )

    def probabilities(self, mu: Array) -> Array:
        """Class probabilities `(n, classes)` of latent means `(n, d)`."""
        standardised = (mu - np.array(self.mean)) / np.array(self.scale)
        logits = standardised @ np.array(self.weights).T + np.array(self.bias)
        exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponential / exponential.sum(axis=1, keepdims=True))

    def classify(self, mu: Array) -> NDArray[np.str_]:
        """Most probable class name `(n,)`."""
        winners = self.probabilities(mu).argmax(axis=1)
        return np.array([self.class_names[i] for i in winners], dtype=np.str_)

    def novelty_score(self, mu: Array) -> Array:
        """Negative log density `(n,)` under the class that is most likely to hold it."""
        return self.densities.surprise(mu)

    def novelty(self, mu: Array) -> Array:
        """One minus the conformal p-value of being known, `(n,)` in [0, 1).

        Calling particles with novelty above 0.95 new is wrong for at most 5 % of known ones, in
        the mean; `novelty_of` says what that means for few calibration particles.
        """
        return novelty_of(self.novelty_score(mu), self.calibration)


def classes_to_tell(labels: NDArray[np.str_]) -> list[str]:
    """Return the classes of labelled training particles `(n,)`, sorted.

    Raises
    ------
    DataError
        If there are fewer than two.
    """
    names = sorted(set(labels.tolist()))
    if len(names) < 2:
        raise DataError(f"train: found {len(names)} class {names}, expected two for a classifier")
    return names


def fit_head(train_mu: Array, train_labels: NDArray[np.str_], val_mu: Array) -> LatentHead:
    """Fit the head on latent means `(n, d)` of labelled training particles.

    Parameters
    ----------
    train_mu, train_labels
        Latent means `(n, d)` and class names `(n,)` of the training particles.
    val_mu
        Of known particles that nothing was fitted on; novelty is calibrated on them.

    Raises
    ------
    DataError
        If the training particles hold fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression  # not needed by a head that is served

    names = classes_to_tell(train_labels)
    mean, scale = train_mu.mean(axis=0), np.maximum(train_mu.std(axis=0), 1e-6)
    regression = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced")
    regression.fit((train_mu - mean) / scale, train_labels)
    weights, bias = regression.coef_, regression.intercept_
    if len(names) == 2:  # scikit-learn keeps one row, the logit of the second class
        weights, bias = np.concatenate((-weights, weights)) / 2, np.concatenate((-bias, bias)) / 2
    densities = ClassDensities.fit(train_mu, train_labels, names)
    return LatentHead(
        class_names=tuple(names),
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(tuple(row) for row in weights.tolist()),
        bias=tuple(bias.tolist()),
        densities=densities,
        calibration=calibration_scores(densities.surprise(val_mu)),
    )
