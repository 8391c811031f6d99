"""Evaluate a trained model on particles that it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import mlflow
import numpy as np
import pandas as pd
from latentlaw.data.loading import Particles
from latentlaw.data.particles import ParticleStack, open_stack
from latentlaw.data.splits import HELD_OUT, TEST, TRAIN
from latentlaw.data.stars import QUATERNION
from latentlaw.evaluation.classification import classification_scores, confusion
from latentlaw.evaluation.classifiers import CLASSIFIERS, classify_latents
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.figures import (
    interpolation_strip,
    pose_strip,
    reconstruction_strip,
    traversal_strip,
)
from latentlaw.evaluation.novelty import novelty_auroc, placement_scores
from latentlaw.evaluation.pose import pose_errors_by_class
from latentlaw.evaluation.projection import project_2d
from latentlaw.evaluation.rotation import latent_cosine_under_rotation
from latentlaw.evaluation.separation import (
    affinity_spearman,
    learned_affinity,
    separation_scores,
)
from latentlaw.priors.files import read_affinity
from latentlaw.priors.table import AffinityTable, project
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.names import AFFINITY, CONFUSION, EMBEDDINGS, PRIOR
from latentlaw.tracking.queries import loss_history
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
from pydantic import BeforeValidator, Field

from pipelines._entry import Entry, ProgressBar, command, use_threads
from pipelines._figures import (
    balance_figure,
    confusion_figure,
    embedding_figure,
    f1_figure,
    loss_figure,
    similarity_figure,
)

_SHOWN = 8


@dataclass(frozen=True)
class Measured:
    """Metrics by name (None where undefined), and the content of two artifacts."""

    metrics: dict[str, float | None]
    confusion: dict[str, Any]
    affinity: dict[str, Any]


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
    affinity: str | None = Field(
        None, description="affinity CSV with the classes kept from training, to place them by"
    )
    symmetry: Symmetries = Field(
        None, description="point groups, for the error of poses: CLASS=D7,CLASS=O; others C1"
    )


def run(parameters: Evaluate) -> dict[str, float]:
    """Evaluate, log, and return the metrics."""
    p = parameters
    with stage_run("evaluate", p.model_dump()):
        use_threads()
        progress = ProgressBar()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        table = None if p.affinity is None else read_affinity(p.affinity)
        tag_run(family=bundle.model.config.family)
        log_data(p.data, stack.digest, stack.table, "evaluation")
        split = load_split(p.model, stack)
        progress(1, 3, "evaluate")
        embedding = embed(bundle.model, stack.images)
        codes = embedding.mu
        progress(2, 3, "evaluate")
        measured = measure(bundle, stack, codes, split, load_json(source_run(p.model), PRIOR))
        unseen_images = Particles.unlabelled(stack.images, np.flatnonzero(split == TEST))
        cosine = latent_cosine_under_rotation(bundle.model, unseen_images, seed=p.seed)
        progress(3, 3, "evaluate")
        labels = stack.table["label"].fillna("").to_numpy(dtype=str)
        others, confusions = measure_classifiers(bundle, labels, codes, split, p.seed)
        metrics = {
            **measured.metrics,
            **others,
            **(measure_placement(bundle, labels, codes, split, table) if table else {}),
            **measure_pose(bundle, stack, embedding, split == TEST, p.symmetry),
            "rotation/latent_cosine": cosine,
        }
        log_metrics(metrics)
        log_json(CONFUSION, {**measured.confusion, "classifiers": confusions})
        log_json(AFFINITY, measured.affinity)
        table_2d = embedding_table(bundle, stack, codes, split)
        log_table(EMBEDDINGS, table_2d)
        log_image(
            "figures/reconstructions.png",
            reconstruction_strip(bundle.model, unseen_images[:_SHOWN]),
        )
        log_walks(bundle, labels, embedding)
        charts = {
            "embedding": embedding_figure(table_2d, list(bundle.head.class_names)),
            "similarity": similarity_figure(measured.affinity),
            "confusion": confusion_figure(measured.confusion),
            "f1": f1_figure({"head": measured.confusion, **confusions}),
            "class_balance": balance_figure(labels, split),
        }
        losses = loss_history(mlflow.get_tracking_uri(), source_run(p.model))
        if len(losses):
            charts["losses"] = loss_figure(losses)
        for name, figure in charts.items():
            mlflow.log_figure(figure, f"figures/{name}.png")
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


def measure_classifiers(
    bundle: Bundle,
    labels: NDArray[np.str_],
    codes: NDArray[Any],
    split: NDArray[np.str_],
    seed: int,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Score simple classifiers on test latents; metrics, and a confusion of each, by name.

    Empty on other data than the model's, where there is nothing to fit them on.
    """
    names = list(bundle.head.class_names)
    known = np.isin(labels, names)
    train, test = (split == TRAIN) & known, (split == TEST) & known
    metrics: dict[str, float] = {}
    confusions: dict[str, Any] = {}
    if not train.any() or not test.any():
        return metrics, confusions
    for kind in CLASSIFIERS:
        predicted = classify_latents(kind, codes[train], labels[train], codes[test], seed=seed)
        for name, value in classification_scores(labels[test], predicted).items():
            metrics[name.replace("/", f"/{kind}_")] = value
        confusions[kind] = confusion(labels[test], predicted, names)
    return metrics, confusions


def measure_placement(
    bundle: Bundle,
    labels: NDArray[np.str_],
    codes: NDArray[Any],
    split: NDArray[np.str_],
    table: AffinityTable,
) -> dict[str, float]:
    """Say whether classes that were not trained on lie where the prior puts them.

    Seen classes are of the test split. The prior is made reachable for all of these classes.
    """
    seen = list(bundle.head.class_names)
    unseen = sorted(set(labels) - set(seen) - {""})
    if not unseen:
        return {}
    rows = np.isin(labels, unseen) | ((split == TEST) & np.isin(labels, seen))
    learned = learned_affinity(codes[rows], labels[rows], seen + unseen)
    return placement_scores(learned, project(table.select(seen + unseen)).values, len(seen))


def measure_pose(
    bundle: Bundle,
    stack: ParticleStack,
    codes: Embedding,
    test: NDArray[np.bool_],
    symmetries: Mapping[str, str] | None,
) -> dict[str, float]:
    """Median angle between found and true poses of test particles, in one frame a class.

    Empty where the model has no explicit pose or the particles no true one.
    """
    truth = stack.table[QUATERNION].to_numpy(dtype=np.float64)
    rows = test & np.isfinite(truth).all(axis=1) & stack.table["label"].notna().to_numpy()
    if not bundle.model.config.explicit_pose or codes.pose.shape[1] != truth.shape[1]:
        return {}
    if not rows.any():
        return {}
    labels = stack.table["label"].to_numpy(dtype=str)[rows]
    errors = pose_errors_by_class(codes.pose[rows], truth[rows], labels, symmetries)
    return {
        "pose/median_error_deg": float(np.median(np.concatenate(list(errors.values())))),
        **{f"pose/median_error_deg/{name}": float(np.median(e)) for name, e in errors.items()},
    }


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
