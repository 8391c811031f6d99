"""The pictures that `evaluate` logs: what the decoder makes, and charts of what was measured."""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from latentlaw.data.particles.loading import Particles
from latentlaw.evaluation.embed import Embedding
from latentlaw.evaluation.measures import EmbeddedParticles, Measured
from latentlaw.evaluation.strips import (
    interpolation_strip,
    pose_strip,
    reconstruction_strip,
    traversal_strip,
)
from latentlaw.serving.bundle import Bundle
from latentlaw.tracking.reading.logged import source_run
from latentlaw.tracking.reading.queries import loss_history
from latentlaw.tracking.recording.runs import log_image
from numpy.typing import NDArray

from pipelines.figures.evaluation import (
    balance_figure,
    confusion_figure,
    embedding_figure,
    f1_figure,
    loss_figure,
    similarity_figure,
)

_SHOWN = 8


def log_strips(bundle: Bundle, particles: EmbeddedParticles, held_out: Particles) -> None:
    """Log held-out images as the model makes them again, and walks through its latent space."""
    strip = reconstruction_strip(bundle.model, held_out[:_SHOWN])
    log_image("figures/reconstructions.png", strip)
    _log_walks(bundle, particles.labels, particles.codes)


def log_charts(
    model: str,
    particles: EmbeddedParticles,
    embedding: pd.DataFrame,
    measured: Measured,
    confusions: dict[str, Any],
) -> None:
    """Log charts of the embedding, of what was measured and of the losses of training.

    Parameters
    ----------
    model
        Run id, or URI, of the model.
    embedding
        Table of the particles' latents.
    confusions
        By classifier, as `measured.confusion` has that of the model's head.
    """
    charts = {
        "embedding": embedding_figure(embedding, list(particles.head.class_names)),
        "similarity": similarity_figure(measured.affinity),
        "confusion": confusion_figure(measured.confusion),
        "f1": f1_figure({"head": measured.confusion, **confusions}),
        "class_balance": balance_figure(particles.labels, particles.split),
    }
    losses = loss_history(mlflow.get_tracking_uri(), source_run(model))
    if len(losses):
        charts["losses"] = loss_figure(losses)
    for name, figure in charts.items():
        mlflow.log_figure(figure, f"figures/{name}.png")


def _log_walks(bundle: Bundle, labels: NDArray[np.str_], codes: Embedding) -> None:
    """Log what the decoder makes along latents, between classes and along the pose."""
    model = bundle.model
    log_image("figures/traversals.png", traversal_strip(model, codes.mu, codes.pose))
    if codes.pose.shape[1]:
        log_image("figures/pose.png", pose_strip(model, codes.mu, codes.pose))
    known = np.isin(labels, bundle.head.class_names)
    if len(set(labels[known])) >= 2:
        walk = interpolation_strip(model, codes.mu[known], codes.pose[known], labels[known])
        log_image("figures/interpolation.png", walk)
