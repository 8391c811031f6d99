"""Discover laws on the latents of a trained model."""

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from latentlaw.data.particles import open_stack
from latentlaw.data.splits import TEST, TRAIN, VAL
from latentlaw.discovery.attacks import Logits
from latentlaw.discovery.discover import Discovery, discover
from latentlaw.discovery.frontier import Rung, score_rung
from latentlaw.discovery.latents import LatentData, LatentSplit
from latentlaw.discovery.probing import ProbeImages, Probes
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.figures import traversal_strip
from latentlaw.evaluation.image_features import image_features
from latentlaw.evaluation.meanings import Meaning, latent_meanings
from latentlaw.evaluation.shifts import Shift
from latentlaw.models.classifier import Classifier
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import example_images, load_logged_bundle, log_bundle
from latentlaw.tracking.names import EQUATIONS, FRONTIER, LATENTS
from latentlaw.tracking.runs import (
    configure_tracking,
    log_data,
    log_image,
    log_json,
    log_metrics,
    stage_run,
    tag_run,
)
from latentlaw.tracking.splits import load_split
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import fit_classifier, predict_logits
from latentlaw.training.config import TrainConfig, samples_per_epoch
from latentlaw.training.prepare import PreparedData
from latentlaw.training.seeds import seeded_initialisation
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field

from pipelines._entry import Entry, ProgressBar, command, say, split_commas, use_threads
from pipelines._robustness import attacked_rows, log_robustness

# Small, for many steps: a black box that is not trained out would flatter the equations.
_CNN_BATCH = 16


def some_above_zero(radii: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse radii of which none is a change."""
    if not any(radii):
        raise ValueError("expected at least one radius above 0")
    return radii


Radii = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1000)], ...],
    BeforeValidator(split_commas),
    AfterValidator(some_above_zero),
]
Shifts = Annotated[
    tuple[Annotated[str, AfterValidator(lambda text: Shift.parse(text).name)], ...],
    BeforeValidator(split_commas),
]


class Discover(Entry):
    """Fit a CNN, dense and sparse networks and equations; log the frontier and a model of laws."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")
    engine: Literal["auto", "operon", "pysr"] = Field("auto", description="symbolic regression")
    budget_s: float = Field(60.0, gt=0, description="seconds for the symbolic search")
    max_complexity: int = Field(30, ge=3, le=100, description="most nodes of one expression")
    epochs: int = Field(30, ge=1, description="passes over the data of the CNN on pixels")
    epsilons: Radii = Field(
        (0.0, 0.05, 0.1, 0.2),
        description="attacks: most change of a pixel, in units of normalised images",
    )
    epsilons_l2: Radii = Field(
        (0.5, 1.0, 2.0), description="attacks: L2 norm of the change, in the same units"
    )
    attacked: int | None = Field(
        None, ge=1, description="test particles to attack; none: up to 200, fewer of large ones"
    )
    shifts: Shifts = Field(
        (
            "noise_0.1",
            "noise_0.3",
            "blur_1",
            "blur_2",
            "intensity_0.8",
            "intensity_1.25",
            "rotation_15",
            "rotation_90",
            "translation_2",
            "translation_4",
            "equal_intensity",
        ),
        description="natural shifts of the test images, KIND_STRENGTH or equal_intensity",
    )


def run(parameters: Discover) -> str:
    """Discover, log the model of equations, and return the run's id."""
    p = parameters
    with stage_run("discover", p.model_dump()) as active:
        threads = use_threads()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        tag_run(family=bundle.model.config.family)
        log_data(p.data, stack.digest, stack.table, "discovery")
        labels = stack.table["label"].fillna("").to_numpy(dtype=str)
        names = list(bundle.head.class_names)
        data = PreparedData(stack.images, labels, load_split(p.model, stack), names)
        codes = embed(bundle.model, data.images)
        progress = ProgressBar()
        cnn = train_black_box(p, data, bundle.model, progress)
        found = discover(
            latent_data(data, codes),
            engine=p.engine,
            budget_s=p.budget_s,
            max_complexity=p.max_complexity,
            seed=p.seed,
            threads=threads,
            extra_rungs=(black_box_rung(data, cnn, bundle.model),),
            progress=lambda step, share: progress(round(100 * share), 100, f"discover {step}"),
        )
        say(f"discover: {found.engine} ({found.engine_reason})")
        meanings = name_latents(data, codes, bundle.model)
        collapsed = sum(meaning.collapsed for meaning in meanings)
        log_metrics(found.metrics | {"discovery/collapsed_latents": collapsed})
        probe(p, data, bundle.model, rungs(bundle.model, cnn, found), progress)
        log_json(FRONTIER, found.frontier_records())
        log_json(LATENTS, [meaning.to_dict() for meaning in meanings])
        log_json(EQUATIONS, found.equation_records({m.latent: m.text for m in meanings}))
        for dimension in range(codes.mu.shape[1]):
            strip = traversal_strip(bundle.model, codes.mu, codes.pose, dimension)
            log_image(f"traversals/z{dimension}.png", strip)
        example = example_images(data.particles(data.rows(TEST)))
        log_bundle(Bundle(bundle.model, bundle.head, found.model), example)
        return str(active.info.run_id)


def known_rows(data: PreparedData, split: str) -> NDArray[np.integer[Any]]:
    """Return the indices of a split's particles whose class was trained on."""
    rows = data.rows(split, labelled=True)
    return rows[data.indices(rows) >= 0]


def latent_data(data: PreparedData, codes: Embedding) -> LatentData:
    """Latents of the three splits."""
    splits = []
    for name in (TRAIN, VAL, TEST):
        rows = known_rows(data, name)
        splits.append(LatentSplit(codes.mu[rows], data.indices(rows)))
    names = tuple(f"z{i}" for i in range(codes.mu.shape[1]))
    return LatentData(splits[0], splits[1], splits[2], tuple(data.class_names), names)


def name_latents(data: PreparedData, codes: Embedding, model: AutoEncoder) -> list[Meaning]:
    """Name latents by the features of test images, and say which are named or collapsed."""
    rows = data.rows(TEST)
    features = image_features(data.particles(rows))
    meanings = latent_meanings(codes.rows(rows), features, variational=model.config.variational)
    said = [f"{each.latent} {each.text}" for each in meanings if each.text]
    say(f"discover: {'; '.join(said) or 'no latent goes with one image feature'}")
    return meanings


def train_black_box(
    p: Discover, data: PreparedData, model: AutoEncoder, progress: ProgressBar
) -> Classifier:
    """Train a CNN on the pixels of the same split, with the encoder's own body."""
    with seeded_initialisation(p.seed):
        cnn = Classifier(model.config, len(data.class_names))
    dims = model.config.dims
    config = TrainConfig(
        epochs=p.epochs,
        batch_size=_CNN_BATCH,
        augmentation="rotate-flip" if model.config.family == "tc-vae" and dims == 2 else "rotate",
        samples_per_epoch=samples_per_epoch(model.config.image_shape),
        seed=p.seed,
    )
    fit_classifier(
        cnn,
        data.particles(known_rows(data, TRAIN)),
        data.particles(known_rows(data, VAL)),
        config,
        normalisation=model.config.normalisation,
        on_epoch=lambda epoch: progress(epoch + 1, p.epochs, "train cnn"),
    )
    return cnn


def black_box_rung(data: PreparedData, cnn: Classifier, model: AutoEncoder) -> Rung:
    """Score the CNN on test particles; its complexity is its number of weights."""
    test = data.particles(known_rows(data, TEST))
    weights = sum(parameter.numel() for parameter in cnn.parameters())
    batches = held_out_batches(test, model.config.normalisation, torch.device("cpu"))
    predicted = predict_logits(cnn, batches).argmax(dim=1).numpy()
    return score_rung(
        "cnn", "CNN on pixels", weights, predicted=predicted, labels=test.labels.numpy()
    )


def rungs(model: AutoEncoder, cnn: Classifier, found: Discovery) -> dict[str, Logits]:
    """Return each family as one function of normalised images to logits."""
    heads: dict[str, Logits] = {"dense": found.dense.torch_logits}
    if found.sparse:
        heads["sparse"] = found.sparse[-1].network.torch_logits
    heads["equation"] = found.model.torch_logits
    model.eval()
    cnn.eval()
    return {"cnn": cnn, **{family: on_images(model, head) for family, head in heads.items()}}


def on_images(model: AutoEncoder, head: Logits) -> Logits:
    """Return a function of latents as one of normalised images."""
    return lambda images: head(model.encode(images).mu)


def probe(
    p: Discover,
    data: PreparedData,
    model: AutoEncoder,
    rungs: dict[str, Logits],
    progress: ProgressBar,
) -> None:
    """Log how robust each family is, on test particles drawn once."""
    rows = known_rows(data, TEST)
    voxels = math.prod(model.config.image_shape)
    rows = rows[attacked_rows(len(rows), voxels, p.seed, p.attacked)]
    images = ProbeImages(data.images.read(rows), data.indices(rows), model.config.normalisation)
    shifts = [Shift.parse(text) for text in p.shifts]
    probes = Probes(p.epsilons, p.epsilons_l2, shifts, p.seed)
    log_robustness(rungs, images, probes, data.class_names, progress)


if __name__ == "__main__":
    configure_tracking()
    command(Discover, run)
