"""What is known of a model's training and of its measures, from its runs and their data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import DataError
from latentlaw.evaluation.scores.comparison import MEASURES, Score
from latentlaw.evaluation.scores.novelty import STATED_RATE, detection_rates
from latentlaw.serving.promotion.gate import Measured
from latentlaw.tracking.names import PRIOR, SPLIT, TAG_DATA_DIGEST, TAG_STAGE
from latentlaw.tracking.reading.logged import load_json, load_table
from latentlaw.tracking.reading.origins import StackOf, stack_of, training_run

#: Parameters that name files, of which a card says only the name.
_PATHS = ("data", "affinity", "checkpoints", "resume", "out", "config")
_LOGGED = (
    "discovery/accuracy_ratio",
    "discovery/blackbox_",
    "discovery/collapsed_latents",
    "discovery/equation_complexity",
    "discovery/equation_latents",
    "discovery/fidelity_to_dense",
    "novelty/",
    "pose/",
    "rotation/",
    "separation/affinity_spearman",
)


def training_facts(found: Measured) -> dict[str, Any]:
    """Return what the model was trained on, and how; None for what is not known."""
    run = training_run(found.candidate.run.info.run_id)
    made_from = stack_of(run)
    prior = load_json(run.info.run_id, PRIOR)
    split = load_table(run.info.run_id, SPLIT)
    stack = _opened(made_from, found.stack)
    parameters = {
        key: Path(value).name if key in _PATHS else value for key, value in run.data.params.items()
    }
    return {
        "run": run.info.run_id,
        "stack": None if made_from is None else Path(made_from.path).name,
        "digest": None if made_from is None else made_from.digest,
        "voxel_size_a": None if stack is None else stack.voxel_size_a,
        "particles": _counts(split, stack),
        "groups": None if stack is None or split is None else _groups(split, stack),
        "prior": None
        if prior is None
        else {"table": parameters.get("affinity"), "classes": prior["class_names"]},
        "parameters": parameters,
    }


def measured_facts(found: Measured) -> dict[str, Any]:
    """Return every measure on held-out particles with its interval, and those of each class."""
    scores = [found.score(m) for m in MEASURES if m != "silhouette" or _separable(found.truth)]
    return {
        "stack": Path(found.stack.path).name,
        "digest": found.stack.digest,
        "particles": len(found.rows),
        "groups": scores[0].groups,
        "drawn": scores[0].drawn,
        "saw": found.candidate.split.saw,
        "measures": {score.measure: _interval(score) for score in scores},
        "classes": _by_class(found),
        "logged": _logged(found),
    }


def novelty_facts(found: Measured) -> dict[str, Any]:
    """Return how often held-out particles of known classes are called new, and how often stated.

    `limit` is what the rate exceeds in one of 40 draws of particles that are like those that
    novelty was calibrated on.
    """
    head = found.candidate.bundle.head
    known = head.novelty(found.answers.mu)
    rates = detection_rates(known, known[:0], len(head.calibration))
    return {
        "threshold": 1 - STATED_RATE,
        "stated": STATED_RATE,
        "measured": rates["novelty/false_positive_rate"],
        "limit": rates["novelty/false_positive_limit"],
        "particles": len(known),
        "calibrated_on": len(head.calibration),
    }


def _opened(made_from: StackOf | None, measured_on: ParticleStack) -> ParticleStack | None:
    """Open the training stack, if it is there as it was."""
    if made_from is None:
        return None
    if made_from.digest == measured_on.digest:
        return measured_on
    try:
        stack = open_stack(made_from.path)
    except DataError:
        return None
    return stack if stack.digest == made_from.digest else None


def _counts(
    split: pd.DataFrame | None, stack: ParticleStack | None
) -> dict[str, dict[str, int]] | None:
    """Count particles by class and split; all together where the stack is not there."""
    if split is None:
        return None
    if stack is None:
        return {"all": {str(k): int(n) for k, n in split["split"].value_counts().items()}}
    labels = stack.table["label"].fillna("unlabelled").to_numpy(dtype=str)
    counts = pd.crosstab(labels, split["split"].to_numpy(dtype=str))
    return {
        str(name): {str(part): int(n) for part, n in row.items() if n}
        for name, row in counts.iterrows()
    }


def _groups(split: pd.DataFrame, stack: ParticleStack) -> dict[str, int]:
    """Count the groups of each split; validation may share some with training."""
    groups = stack.table["group"].to_numpy(dtype=str)
    parts = split["split"].to_numpy(dtype=str)
    return {name: len(set(groups[parts == name])) for name in np.unique(parts).tolist()}


def _by_class(found: Measured) -> list[dict[str, Any]]:
    names = list(found.candidate.bundle.class_names)
    scores = precision_recall_fscore_support(
        found.truth, found.answers.predicted, labels=names, zero_division=0
    )
    return [
        {
            "class": name,
            "particles": int(count),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
        }
        for name, precision, recall, f1, count in zip(names, *scores, strict=True)
    ]


def _logged(found: Measured) -> dict[str, dict[str, float]]:
    """Return what the run and the newest evaluation of its network logged, by run."""
    run = found.candidate.run
    trained = training_run(run.info.run_id)
    tested = MlflowClient().search_runs(
        [run.info.experiment_id],
        f"params.model = '{trained.info.run_id}' AND tags.`{TAG_STAGE}` = 'evaluate' "
        "AND attributes.status = 'FINISHED'",
        max_results=1,
    )
    return {
        each.info.run_id: metrics
        for each in (run, *tested)
        if (metrics := _selected(each)) and _same_data(each, trained)
    }


def _selected(run: Run) -> dict[str, float]:
    return {k: v for k, v in sorted(run.data.metrics.items()) if k.startswith(_LOGGED)}


def _same_data(a: Run, b: Run) -> bool:
    return bool(a.data.tags.get(TAG_DATA_DIGEST) == b.data.tags.get(TAG_DATA_DIGEST))


def _interval(score: Score) -> dict[str, float]:
    return {"value": score.value.mean, "low": score.value.low, "high": score.value.high}


def _separable(truth: NDArray[np.str_]) -> bool:
    return 2 <= len(set(truth.tolist())) < len(truth)
