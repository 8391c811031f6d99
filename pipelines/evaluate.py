"""Evaluate a trained model on particles that it never saw."""

import numpy as np
import pandas as pd
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.splits import TEST, TRAIN
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.star_rows import write_poses
from latentlaw.data.star.reading import QUATERNION
from latentlaw.errors import ConfigError
from latentlaw.evaluation.embed import embed
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
from latentlaw.tracking.reading.logged import load_json, source_run
from latentlaw.tracking.reading.splits import load_split
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_file,
    log_json,
    log_metrics,
    log_table,
    stage_run,
    tag_run,
)

from pipelines.cli.command import ProgressBar, command, say_metrics, use_threads
from pipelines.evaluation.evaluated import Evaluated
from pipelines.evaluation.parameters import Evaluate as Evaluate
from pipelines.evaluation.pictures import log_charts, log_strips


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
        log_strips(bundle, every, held_out)
        log_charts(p.model, every, embedding, measured, confusions)
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


if __name__ == "__main__":
    configure_tracking()
    command(Evaluate, start)
