"""Evaluate a trained model on particles that it never saw."""

from dataclasses import dataclass
from typing import Annotated, Any

import mlflow
import numpy as np
import pandas as pd
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.splits import TEST, TRAIN
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.star_rows import write_poses
from latentlaw.data.star.reading import QUATERNION
from latentlaw.errors import ConfigError
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.figures import (
    interpolation_strip,
    pose_strip,
    reconstruction_strip,
    traversal_strip,
)
from latentlaw.evaluation.measures import (
    EmbeddedParticles,
    embedding_table,
    measure,
    measure_classifiers,
    measure_placement,
    measure_pose,
)
from latentlaw.evaluation.scores.rotation import latent_cosine_under_rotation
from latentlaw.priors.files import read_affinity
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.names import AFFINITY, CONFUSION, EMBEDDINGS, POSES, PRIOR
from latentlaw.tracking.reading.queries import loss_history
from latentlaw.tracking.reading.splits import load_split
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    load_json,
    log_data,
    log_file,
    log_image,
    log_json,
    log_metrics,
    log_table,
    source_run,
    stage_run,
    tag_run,
)
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pipelines.cli.command import ProgressBar, command, say_metrics, use_threads
from pipelines.cli.parameters import Entry
from pipelines.figures.evaluation import (
    balance_figure,
    confusion_figure,
    embedding_figure,
    f1_figure,
    loss_figure,
    similarity_figure,
)

_SHOWN = 8


def _split_groups(value: Any) -> Any:
    """Split `a=D7,b=O` into point groups by class."""
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",")]
    return {name.strip(): group.strip() for name, _, group in parts}


Symmetries = Annotated[dict[str, str] | None, BeforeValidator(_split_groups)]


class Evaluate(Entry):
    """Measure separation, classification, invariance and novelty on held-out particles."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")
    train_data: str | None = Field(
        None,
        description="stack that the model was trained on, where `data` is another, to fit "
        "classifiers on its latents; none: `data` is that stack",
    )
    affinity: str | None = Field(
        None,
        description="affinity CSV with the classes kept from training, to place them by; "
        "none: the model's",
    )
    symmetry: Symmetries = Field(
        None, description="point groups, for the error of poses, as in CLASS=D7,CLASS=O; none: C1"
    )


@dataclass(frozen=True)
class Evaluated:
    """A run, its metrics by name, and the prior as given, as used and as learned."""

    run_id: str
    metrics: dict[str, float]
    affinity: dict[str, Any]


def start(parameters: Evaluate) -> str:
    """Evaluate, say the metrics, and return the run's id."""
    found = evaluated(parameters)
    say_metrics(found.metrics)
    return found.run_id


def run(parameters: Evaluate) -> dict[str, float]:
    """Evaluate, log, and return the metrics."""
    return evaluated(parameters).metrics


def evaluated(p: Evaluate) -> Evaluated:
    """Evaluate, log, and return what was measured."""
    with stage_run("evaluate", p.model_dump()) as active:
        use_threads()
        progress = ProgressBar()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        table = None if p.affinity is None else read_affinity(p.affinity)
        tag_run(family=bundle.model.config.family)
        log_data(p.data, stack.digest, stack.table, "evaluation")
        progress(1, 3, "evaluate")
        particles = EmbeddedParticles(
            head=bundle.head,
            codes=embed(bundle.model, stack.images),
            labels=stack.table["label"].fillna("").to_numpy(dtype=str),
            split=load_split(p.model, stack),
        )
        every = particles if p.train_data is None else _with_training(particles, bundle, p)
        progress(2, 3, "evaluate")
        measured = measure(particles, load_json(source_run(p.model), PRIOR))
        classifiers, confusions = measure_classifiers(every, p.seed)
        placement = measure_placement(particles, table) if table else {}
        known = (particles.split == TEST) & ~particles.unseen
        rows = np.flatnonzero(known if known.any() else particles.split == TEST)
        held_out = Particles.unlabelled(stack.images, rows)
        cosine = latent_cosine_under_rotation(bundle.model, held_out, seed=p.seed)
        progress(3, 3, "evaluate")
        metrics = {
            **measured.metrics,
            **classifiers,
            **placement,
            **_pose(bundle, stack, particles, p),
            "rotation/latent_cosine": cosine,
        }
        log_metrics(metrics)
        log_json(CONFUSION, {**measured.confusion, "classifiers": confusions})
        log_json(AFFINITY, measured.affinity)
        embedding = embedding_table(every)
        own = pd.concat((stack.table["particle_id"], embedding[: len(stack)]), axis=1)
        log_table(EMBEDDINGS, own)
        strip = reconstruction_strip(bundle.model, held_out[:_SHOWN])
        log_image("figures/reconstructions.png", strip)
        log_walks(bundle, every.labels, every.codes)
        charts = {
            "embedding": embedding_figure(embedding, list(bundle.head.class_names)),
            "similarity": similarity_figure(measured.affinity),
            "confusion": confusion_figure(measured.confusion),
            "f1": f1_figure({"head": measured.confusion, **confusions}),
            "class_balance": balance_figure(every.labels, every.split),
        }
        losses = loss_history(mlflow.get_tracking_uri(), source_run(p.model))
        if len(losses):
            charts["losses"] = loss_figure(losses)
        for name, figure in charts.items():
            mlflow.log_figure(figure, f"figures/{name}.png")
        defined = {name: value for name, value in metrics.items() if value is not None}
        return Evaluated(active.info.run_id, defined, measured.affinity)


def _with_training(particles: EmbeddedParticles, bundle: Bundle, p: Evaluate) -> EmbeddedParticles:
    """Add the model's training particles, of another stack, behind those to be measured."""
    stack = open_stack(str(p.train_data))
    split = load_split(p.model, stack)
    rows = np.flatnonzero(split == TRAIN)
    if not len(rows) or (particles.split == TRAIN).any():
        raise ConfigError(
            f"train_data: found {stack.path}, data {p.data}, expected the stack that the model "
            "was trained on, and data to be another one; leave it out where they are the same"
        )
    return particles.and_training(
        embed(bundle.model, Particles.unlabelled(stack.images, rows)),
        stack.table["label"].fillna("").to_numpy(dtype=str)[rows],
    )


def _pose(
    bundle: Bundle, stack: ParticleStack, particles: EmbeddedParticles, p: Evaluate
) -> dict[str, float]:
    """Log and measure a pose that is an orientation, in volumes: the table's poses are."""
    if not bundle.model.config.explicit_pose or bundle.model.config.dims != len("zyx"):
        return {}
    log_file(POSES, lambda path: write_poses(path, stack, particles.codes.pose))
    return measure_pose(particles, stack.table[QUATERNION].to_numpy(dtype=np.float64), p.symmetry)


def log_walks(bundle: Bundle, labels: NDArray[np.str_], codes: Embedding) -> None:
    """Log what the decoder makes along latents, between classes and along the pose."""
    model = bundle.model
    log_image("figures/traversals.png", traversal_strip(model, codes.mu, codes.pose))
    if codes.pose.shape[1]:
        log_image("figures/pose.png", pose_strip(model, codes.mu, codes.pose))
    known = np.isin(labels, bundle.head.class_names)
    if len(set(labels[known])) >= 2:
        walk = interpolation_strip(model, codes.mu[known], codes.pose[known], labels[known])
        log_image("figures/interpolation.png", walk)


if __name__ == "__main__":
    configure_tracking()
    command(Evaluate, start)
