"""Rungs beside the laws: networks on pixels, models of plain features, and all as functions."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.discovery.baselines.features import feature_data
from latentlaw.discovery.discover import Discovery
from latentlaw.discovery.frontier import Rung, model_rung, score_rung
from latentlaw.discovery.latents import LatentData, check_latents
from latentlaw.discovery.networks.dense import fit_logistic
from latentlaw.discovery.robustness.attacks import Logits
from latentlaw.discovery.scores import balanced_accuracy
from latentlaw.errors import DataError
from latentlaw.models.vae import AutoEncoder
from latentlaw.progress import Progress, silent
from latentlaw.tracking.say import say
from latentlaw.training.augmentation import Augmentation
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import (
    BLACK_BOXES,
    REGULARISED,
    BlackBox,
    fit_classifier,
    predict_logits,
)
from latentlaw.training.config import TrainConfig, least_samples
from latentlaw.training.prepare import PreparedData
from latentlaw.training.seeds import seeded_initialisation
from numpy.typing import NDArray

# For many steps: a black box that is not trained out would flatter the equations.
_PIXELS_BATCH, _PIXELS_RATE, _PIXELS_AN_EPOCH = 32, 2e-3, 2**21
_PIXELS = {"cnn": "CNN on pixels", "resnet": "ResNet on pixels"}


def train_black_box(
    kind: str,
    data: PreparedData,
    model: AutoEncoder,
    *,
    epochs: int,
    seed: int,
    progress: Progress = silent,
) -> BlackBox:
    """Train a network on the pixels of the split that `model` was trained on.

    Parameters
    ----------
    kind
        Of `BLACK_BOXES`.
    model
        Whose normalisation and size of image it takes.
    """
    with seeded_initialisation(seed):
        box = BLACK_BOXES[kind](model.config, len(data.class_names))
    shape = model.config.image_shape
    config = TrainConfig(
        epochs=epochs,
        batch_size=_PIXELS_BATCH,
        learning_rate=_PIXELS_RATE,
        augmentation=same_images(model),
        samples_per_epoch=max(least_samples(shape), _PIXELS_AN_EPOCH // math.prod(shape)),
        seed=seed,
    )
    fit_classifier(
        box,
        data.particles(data.known_rows(TRAIN)),
        data.particles(data.known_rows(VAL)),
        config,
        normalisation=model.config.normalisation,
        recipe=REGULARISED,
        on_epoch=lambda epoch: progress(epoch + 1, epochs, f"train {kind}"),
    )
    return box


def black_box_rung(kind: str, data: PreparedData, box: BlackBox, model: AutoEncoder) -> Rung:
    """Score a network on test pixels; its complexity is its number of weights."""

    def predicted(split: str) -> NDArray[np.int64]:
        particles = data.particles(data.known_rows(split))
        batches = held_out_batches(particles, model.config.normalisation, torch.device("cpu"))
        return np.asarray(predict_logits(box, batches).argmax(dim=1))

    return score_rung(
        kind,
        _PIXELS[kind],
        sum(parameter.numel() for parameter in box.parameters()),
        predicted=predicted(TEST),
        labels=data.indices(data.known_rows(TEST)),
        val_balanced_accuracy=balanced_accuracy(
            predicted(VAL), data.indices(data.known_rows(VAL))
        ),
    )


def same_images(model: AutoEncoder) -> Augmentation:
    """Return what may be done to an image that stays the same for the model's own training."""
    alignment = model.config.normalisation.alignment
    if alignment != "none":
        return "flip" if alignment == "rotate-flip" else "none"
    cells = model.config.family == "tc-vae" and model.config.dims == len("yx")
    return "rotate-flip" if cells else "rotate"


def feature_rungs(
    data: PreparedData, latents: LatentData, features: pd.DataFrame, seed: int
) -> list[Rung]:
    """Score logistic regression on plain image features; none where no image has an object."""
    tables = [features.iloc[data.known_rows(name)] for name in (TRAIN, VAL, TEST)]
    try:
        measured = feature_data(latents, tables)
        scaling, _ = check_latents(measured)
    except DataError as error:
        say(f"discover: no model of image features ({error})")
        return []
    model = fit_logistic(measured, scaling, seed=seed)
    return [model_rung(measured, model, "features", "logistic regression on image features")]


def rungs_by_family(
    model: AutoEncoder, boxes: Mapping[str, BlackBox], found: Discovery
) -> dict[str, Logits]:
    """Return each family as one function of normalised images to logits."""
    heads: dict[str, Logits] = {"dense": found.dense.torch_logits}
    if found.sparse:
        heads["sparse"] = found.sparse[-1].network.torch_logits
    heads["equation"] = found.model.torch_logits
    model.eval()
    pixels: dict[str, Logits] = {kind: box.eval() for kind, box in boxes.items()}
    return pixels | {family: on_images(model, head) for family, head in heads.items()}


def on_images(model: AutoEncoder, head: Logits) -> Logits:
    """Return a function of latents as one of normalised images."""
    return lambda images: head(model.encode(images).mu)
