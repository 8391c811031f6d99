"""A model card: what a model is, what it was measured to be worth, and how to use it.

Every value is of the run, the configuration or the stack; what is not known is null. The headings
are those of Hugging Face's cards (Mitchell et al. 2019, arXiv 1810.03993), with the fields of
bioimage.io that say what goes in and comes out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

import latentlaw
from latentlaw.discovery.equations.expressions import complexity, to_latex, to_text
from latentlaw.models.config import ModelConfig
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.promotion.card_text import card_markdown
from latentlaw.serving.promotion.facts import measured_facts, novelty_facts, training_facts
from latentlaw.serving.promotion.gate import Measured
from latentlaw.serving.promotion.limitations import limitations
from latentlaw.serving.promotion.tensors import (
    TOLERANCE,
    describe_tensors,
    example_tensors,
    save_tensors,
)
from latentlaw.tracking.names import CARD, CARD_RECORD, LATENTS
from latentlaw.tracking.reading.logged import load_json
from latentlaw.tracking.recording.runs import json_text

_TEST_IMAGES = 2
_PAPERS = (
    {
        "text": "J. Mirecka, M. Famili, A. Kotańska, N. Juraschko, B. Costa-Gomes, C. M. Palmer, "
        "J. Thiyagalingam, T. Burnley, M. Basham, A. R. Lowe. Affinity-VAE for disentanglement, "
        "clustering and classification of objects in multidimensional image data. 2022.",
        "doi": "10.48550/arXiv.2209.04517",
    },
    {
        "text": "C. J. Soelistyo, A. R. Lowe. Discovering interpretable models of scientific "
        "image data with deep learning. 2024.",
        "doi": "10.48550/arXiv.2402.03115",
    },
)


@dataclass(frozen=True)
class Listing:
    """What the registry says of a version."""

    name: str
    version: str
    alias: str
    promoted: bool
    reason: str
    metric: str
    margin: float
    licence: str | None


def card_record(found: Measured, listing: Listing, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the card as plain values, which `card_markdown` writes.

    Parameters
    ----------
    found
        The candidate, and its answers on held-out particles.
    listing
        Name, version and alias, and why it was promoted or not.
    digests
        SHA-256 of the test tensors by name.
    """
    bundle, run = found.candidate.bundle, found.candidate.run
    config = bundle.model.config
    training = training_facts(found)
    size = config.voxel_size_a or training["voxel_size_a"]
    record: dict[str, Any] = {
        "name": listing.name,
        "version": listing.version,
        "model": {
            "family": config.family,
            "decoder": config.decoder,
            "axes": "zyx"[-config.dims :],
            "image_shape": list(config.image_shape),
            "latent_dims": config.latent_dims,
            "pose_dims": config.pose_dims,
            "orientation": config.explicit_pose,
            "weights": sum(p.numel() for p in bundle.model.parameters()),
            "classes": list(bundle.class_names),
            "run": run.info.run_id,
            "made": _day(run.info.start_time),
            "git_commit": run.data.tags.get("mlflow.source.git.commit"),
            "latentlaw": latentlaw.__version__,
        },
        "training": training,
        "evaluation": measured_facts(found),
        "novelty": novelty_facts(found),
        "gate": {
            "alias": listing.alias,
            "promoted": listing.promoted,
            "reason": listing.reason,
            "metric": listing.metric,
            "margin": listing.margin,
        },
        "equations": _equations(bundle, run.info.run_id),
        "preprocessing": _preprocessing(config),
        "voxel_size_range_a": None if size is None else [size, size],
        "licence": listing.licence,
        "code_licence": latentlaw.LICENCE,
        "bioimageio": {
            "format_version": "0.5",
            "cite": list(_PAPERS),
            **describe_tensors(bundle, digests, size),
        },
        "test_tolerance": TOLERANCE,
    }
    return record | {"limitations": limitations(record)}


def write_card(found: Measured, listing: Listing, folder: Path) -> dict[str, Any]:
    """Write the card, as Markdown and as JSON, and the test tensors; return the record."""
    images = found.stack.read(found.rows[:_TEST_IMAGES])
    digests = save_tensors(example_tensors(found.candidate.bundle, images), folder)
    text = json_text(card_record(found, listing, digests))
    record: dict[str, Any] = json.loads(text)  # as others read it: NaN is null, homes are ~
    (folder / CARD_RECORD).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(card_markdown(record), encoding="utf-8")
    return record


def log_card(folder: Path, run_id: str, name: str, version: str) -> None:
    """Log a card's folder beside the run's other artifacts, and beside the model's own files.

    Whoever downloads the model then has its card.
    """
    client = MlflowClient()
    client.log_artifacts(run_id, str(folder))
    source = str(client.get_model_version(name, version).source)
    if source.startswith("models:/"):
        client.log_model_artifacts(source.removeprefix("models:/"), str(folder))


def _equations(bundle: Bundle, run_id: str) -> dict[str, Any] | None:
    """Return expressions by class, and what the latents in them mean, where there are some."""
    model = bundle.equations
    if model is None:
        return None
    told = load_json(run_id, LATENTS)
    named = {} if told is None else {each["latent"]: each["meaning"] for each in told}
    return {
        "nodes": model.complexity,
        "logit": "log-odds" if len(model.heads) == 1 else "logit",
        "classes": [
            {
                "class": name,
                "text": to_text(expression),
                "latex": to_latex(expression),
                "nodes": complexity(expression),
            }
            for name, expression in zip(model.class_names, model.expressions, strict=True)
        ],
        "latents": None if told is None else {z: named.get(z) for z in model.latents},
    }


def _preprocessing(config: ModelConfig) -> dict[str, Any]:
    """Return what the model does to raw images itself."""
    own = config.normalisation
    return {
        "normalisation": own.kind,
        "scale": own.scale if own.kind == "global" else None,
        "smoothing_voxels": own.smoothing,
        "alignment": own.alignment,
        "tilt_range_deg": config.tilt_range,
    }


def _day(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
