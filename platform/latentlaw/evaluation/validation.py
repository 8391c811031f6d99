"""What choices may be based on: the measures of an evaluation, on validation particles.

Test particles are left out; they are for the model that was chosen.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.data.particles.splits import HELD_OUT, TEST, TRAIN, VAL, validation_fold
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import LatentHead
from latentlaw.evaluation.measures import EmbeddedParticles, measure
from latentlaw.evaluation.scores.rotation import latent_cosine_under_rotation
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.prepare import PreparedData


def validation_measures(
    model: AutoEncoder,
    head: LatentHead,
    data: PreparedData,
    *,
    affinity: torch.Tensor | None,
    seed: int,
) -> dict[str, float]:
    """Measure separation, classification by the head and invariance, those that are defined.

    Parameters
    ----------
    model, head
        The model, and the head that was fitted to its latents of training particles.
    data
        Of which the validation particles are measured.
    affinity
        Prior of the classes, `(classes, classes)`, as used in training.
    seed
        Of the turns of images.
    """
    rows = data.rows(VAL)
    particles = EmbeddedParticles(
        head=head,
        codes=embed(model, data.particles(rows)),
        labels=data.labels[rows],
        split=np.full(len(rows), TEST),
    )
    table = None if affinity is None else affinity.tolist()
    prior = None if table is None else {"given": table, "used": table}
    metrics = measure(particles, prior).metrics | {
        "rotation/latent_cosine": latent_cosine_under_rotation(
            model, data.particles(rows), seed=seed
        )
    }
    return {
        name: float(value)
        for name, value in metrics.items()
        # Novelty is calibrated on these particles, so that they cannot say what it misses.
        if value is not None and not name.startswith("novelty/")
    }


def without_test(data: PreparedData, groups: NDArray[np.str_], seed: int) -> PreparedData:
    """Return the data for a method that itself makes choices, one split further down.

    Test particles are held out, validation takes their place, and a fifth of training that of
    validation.

    Parameters
    ----------
    data
        Split into training, validation and test.
    groups
        What a split keeps together, `(n,)`.
    seed
        Of the fifth that is taken.
    """
    split = np.where(data.split == TEST, HELD_OUT, data.split)
    split[data.split == VAL] = TEST
    train = data.rows(TRAIN, labelled=True)
    split[train[validation_fold(data.labels[train], groups[train], seed)]] = VAL
    return replace(data, split=split)
