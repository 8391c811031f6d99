"""Evaluate a trained model on particles that it never saw."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.loading import Particles
from latentlaw.data.particles import ParticleStack, open_stack
from latentlaw.data.splits import HELD_OUT, TEST, TRAIN
from latentlaw.evaluation.classification import classification_scores, confusion, novelty_auroc
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.figures import reconstruction_strip
from latentlaw.evaluation.projection import project_2d
from latentlaw.evaluation.rotation import latent_cosine_under_rotation
from latentlaw.evaluation.separation import (
    affinity_spearman,
    learned_affinity,
    separation_scores,
)
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.names import AFFINITY, CONFUSION, EMBEDDINGS, PRIOR
from latentlaw.tracking.runs import (
    configure_tracking,
    load_json,
    log_data,
    log_image,
    log_json,
    log_metrics,
    log_table,
    source_run,
    stage_run,
    tag_run,
)
from latentlaw.tracking.splits import load_split
from numpy.typing import NDArray
from pydantic import Field

from pipelines._entry import Entry, ProgressBar, command, use_threads

_SHOWN = 8


@dataclass(frozen=True)
class Measured:
    """Metrics by name (None where undefined), and the content of two artifacts."""

    metrics: dict[str, float | None]
    confusion: dict[str, Any]
    affinity: dict[str, Any]


class Evaluate(Entry):
    """Measure separation, classification, invariance and novelty on held-out particles."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")


def run(parameters: Evaluate) -> dict[str, float]:
    """Evaluate, log, and return the metrics."""
    p = parameters
    with stage_run("evaluate", p.model_dump()):
        use_threads()
        progress = ProgressBar()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        tag_run(family=bundle.model.config.family)
        log_data(p.data, stack.digest, stack.table, "evaluation")
        split = load_split(p.model, stack)
        progress(1, 3, "evaluate")
        codes = embed(bundle.model, stack.images).mu
        progress(2, 3, "evaluate")
        measured = measure(bundle, stack, codes, split, load_json(source_run(p.model), PRIOR))
        unseen_images = Particles.unlabelled(stack.images, np.flatnonzero(split == TEST))
        cosine = latent_cosine_under_rotation(bundle.model, unseen_images, seed=p.seed)
        progress(3, 3, "evaluate")
        metrics = {**measured.metrics, "rotation/latent_cosine": cosine}
        log_metrics(metrics)
        log_json(CONFUSION, measured.confusion)
        log_json(AFFINITY, measured.affinity)
        log_table(EMBEDDINGS, embedding_table(bundle, stack, codes, split))
        log_image(
            "figures/reconstructions.png",
            reconstruction_strip(bundle.model, unseen_images[:_SHOWN]),
        )
        return {name: value for name, value in metrics.items() if value is not None}


def measure(
    bundle: Bundle,
    stack: ParticleStack,
    codes: NDArray[Any],
    split: NDArray[np.str_],
    prior: dict[str, Any] | None,
) -> Measured:
    """Compute what the data allows, on test particles of classes that were trained on."""
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    known = np.isin(labels, bundle.head.class_names)
    test = (split == TEST) & known
    unseen = (split == HELD_OUT) | ((labels != "") & ~known)
    truth, mu = labels[test], codes[test]
    predicted, names = bundle.head.classify(mu), list(bundle.head.class_names)
    learned = learned_affinity(mu, truth, names)
    given = prior or {"given": None, "used": None}
    spearman = affinity_spearman(learned, np.array(given["used"])) if prior else None
    metrics = {
        **separation_scores(mu, truth),
        **classification_scores(truth, predicted),
        "separation/affinity_spearman": spearman,
        "novelty/auroc": novelty_auroc(
            bundle.head.novelty_score(mu), bundle.head.novelty_score(codes[unseen])
        ),
    }
    affinity = {
        "class_names": names,
        "given": given["given"],
        "used": given["used"],
        "learned": learned.tolist(),
    }
    return Measured(metrics, confusion(truth, predicted, names), affinity)


def embedding_table(
    bundle: Bundle, stack: ParticleStack, codes: NDArray[Any], split: NDArray[np.str_]
) -> pd.DataFrame:
    """Latents of every particle with a two-dimensional picture of them."""
    fitted = split == TRAIN
    picture = project_2d(codes, fitted if fitted.any() else np.ones(len(codes), dtype=bool))
    return pd.DataFrame(
        {
            "particle_id": stack.table["particle_id"],
            "label": stack.table["label"],
            "split": split,
            "predicted": bundle.head.classify(codes),
            "novelty": bundle.head.novelty(codes),
            **{f"z{i}": codes[:, i] for i in range(codes.shape[1])},
            "px": picture[:, 0],
            "py": picture[:, 1],
        }
    )


if __name__ == "__main__":
    configure_tracking()
    command(Evaluate, run)
