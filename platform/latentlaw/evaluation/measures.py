"""What an evaluation measures, on particles that the model never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.particles.splits import HELD_OUT, TEST, TRAIN
from latentlaw.evaluation.embed import Embedding
from latentlaw.evaluation.head.head import LatentHead
from latentlaw.evaluation.projection import project_2d
from latentlaw.evaluation.scores.classification import classification_scores, confusion
from latentlaw.evaluation.scores.classifiers import CLASSIFIERS, classify_latents
from latentlaw.evaluation.scores.novelty import detection_rates, novelty_auroc, placement_scores
from latentlaw.evaluation.scores.pose import pose_errors_by_class
from latentlaw.evaluation.scores.separation import (
    affinity_residual,
    affinity_spearman,
    learned_affinity,
    separation_scores,
)
from latentlaw.priors.table import AffinityTable, project

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class EmbeddedParticles:
    """Particles with their latents, and which of them a trained head may be measured on.

    Attributes
    ----------
    codes
        Of all particles, `(n, …)`.
    labels
        Class names `(n,)`, empty where unknown.
    split
        `train`, `val`, `test` or `held_out`, `(n,)`.
    """

    head: LatentHead
    codes: Embedding
    labels: NDArray[np.str_]
    split: NDArray[np.str_]

    @property
    def known(self) -> Rows:
        """Whether a particle is of a class that was trained on, `(n,)`."""
        return np.isin(self.labels, self.head.class_names)

    @property
    def test(self) -> Rows:
        """Test particles of classes that were trained on, `(n,)`."""
        return np.asarray((self.split == TEST) & self.known)

    @property
    def unseen(self) -> Rows:
        """Particles of classes that were not trained on, `(n,)`."""
        return np.asarray((self.split == HELD_OUT) | ((self.labels != "") & ~self.known))

    def and_training(self, codes: Embedding, labels: NDArray[np.str_]) -> "EmbeddedParticles":
        """Return these particles and, behind them, training particles of another stack.

        Parameters
        ----------
        codes
            Latents of the training particles of that stack, `(n, …)`.
        labels
            Class names `(n,)` of the `n` particles of `codes`.
        """
        return EmbeddedParticles(
            head=self.head,
            codes=self.codes.followed_by(codes),
            labels=np.concatenate((self.labels, labels)),
            split=np.concatenate((self.split, np.full(len(labels), TRAIN))),
        )


@dataclass(frozen=True)
class Measured:
    """Metrics by name (None where undefined), and the content of two artifacts."""

    metrics: dict[str, float | None]
    confusion: dict[str, Any]
    affinity: dict[str, Any]


def measure(particles: EmbeddedParticles, prior: Mapping[str, Any] | None) -> Measured:
    """Measure separation, classification by the head, and novelty.

    Parameters
    ----------
    particles
        All are given; test particles are measured, and unseen ones for novelty.
    prior
        The affinity `given` and `used`, `(classes, classes)`; None for a model without.
    """
    head, mu = particles.head, particles.codes.mu
    test, names = particles.test, list(particles.head.class_names)
    truth, predicted = particles.labels[test], head.classify(mu[test])
    learned = learned_affinity(mu[test], truth, names)
    given = prior or {"given": None, "used": None}
    metrics = {
        **separation_scores(mu[test], truth),
        **classification_scores(truth, predicted),
        **_agreement(learned, names, prior),
        "novelty/auroc": novelty_auroc(
            head.novelty_score(mu[test]), head.novelty_score(mu[particles.unseen])
        ),
        **detection_rates(
            head.novelty(mu[test]), head.novelty(mu[particles.unseen]), len(head.calibration)
        ),
    }
    affinity = {
        "class_names": names,
        "given": given["given"],
        "used": given["used"],
        "learned": learned.tolist(),
    }
    return Measured(metrics, confusion(truth, predicted, names), affinity)


def _agreement(
    learned: NDArray[np.floating[Any]], names: list[str], prior: Mapping[str, Any] | None
) -> dict[str, float | None]:
    """Compare learned similarities with the prior as used, and with what was given."""
    if prior is None:
        return {"separation/affinity_spearman": None}
    given, used = np.array(prior["given"]), np.array(prior["used"])
    return {
        "separation/affinity_spearman": affinity_spearman(learned, used),
        "affinity/residual": affinity_residual(learned, used),
        "affinity/residual_given": affinity_residual(learned, given),
        "affinity/floor_given": AffinityTable(tuple(names), given).floor,
    }


def measure_classifiers(
    particles: EmbeddedParticles, seed: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Score simple classifiers on test latents; metrics, and a confusion of each, by name.

    Empty on other data than the model's, where there is nothing to fit them on.
    """
    names, labels, mu = list(particles.head.class_names), particles.labels, particles.codes.mu
    train, test = (particles.split == TRAIN) & particles.known, particles.test
    metrics: dict[str, float] = {}
    confusions: dict[str, Any] = {}
    if not train.any() or not test.any():
        return metrics, confusions
    for kind in CLASSIFIERS:
        predicted = classify_latents(kind, mu[train], labels[train], mu[test], seed=seed)
        for name, value in classification_scores(labels[test], predicted).items():
            metrics[name.replace("/", f"/{kind}_")] = value
        confusions[kind] = confusion(labels[test], predicted, names)
    return metrics, confusions


def measure_placement(particles: EmbeddedParticles, table: AffinityTable) -> dict[str, float]:
    """Say whether classes that were not trained on lie where the prior puts them.

    Seen classes are of the test split. The prior is made reachable for all of these classes.
    Empty where every class was trained on.
    """
    seen = list(particles.head.class_names)
    unseen = sorted(set(particles.labels[particles.unseen]) - {""})
    if not unseen:
        return {}
    rows = particles.unseen | particles.test
    learned = learned_affinity(particles.codes.mu[rows], particles.labels[rows], seen + unseen)
    return placement_scores(learned, project(table.select(seen + unseen)).values, len(seen))


def measure_pose(
    particles: EmbeddedParticles,
    truth: NDArray[np.float64],
    symmetries: Mapping[str, str] | None,
) -> dict[str, float]:
    """Median angle in degrees between found and true poses of test particles, by class too.

    Empty where no test particle has a true pose.

    Parameters
    ----------
    particles
        With the poses that were found, of all `n`.
    truth
        Quaternions `(n, 4)`, scalar first; NaN where unknown.
    symmetries
        Names of point groups by class; C1 where there is none.
    """
    rows = (particles.split == TEST) & (particles.labels != "")
    rows &= np.isfinite(truth).all(axis=1)
    if not rows.any():
        return {}
    errors = pose_errors_by_class(
        particles.codes.pose[rows], truth[rows], particles.labels[rows], symmetries
    )
    name = "pose/median_error_deg"
    return {
        name: float(np.median(np.concatenate(list(errors.values())))),
        **{f"{name}/{label}": float(np.median(angles)) for label, angles in errors.items()},
    }


def embedding_table(particles: EmbeddedParticles) -> pd.DataFrame:
    """Label, split, what the head says, latents `z0…` and a picture `px, py` of each particle."""
    mu, fitted = particles.codes.mu, particles.split == TRAIN
    picture = project_2d(mu, fitted if fitted.any() else np.ones(len(mu), dtype=bool))
    return pd.DataFrame(
        {
            "label": pd.Series(particles.labels, dtype="string").replace("", pd.NA),
            "split": particles.split,
            "predicted": particles.head.classify(mu),
            "probability": particles.head.probabilities(mu).max(axis=1),
            "novelty": particles.head.novelty(mu),
            **{f"z{i}": mu[:, i] for i in range(mu.shape[1])},
            "px": picture[:, 0],
            "py": picture[:, 1],
        }
    )
