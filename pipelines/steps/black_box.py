"""The black boxes that laws are held to: networks on pixels, trained and scored on one split."""

import math

import numpy as np
import torch
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.data.progress import Progress, silent
from latentlaw.discovery.frontier import Rung, score_rung
from latentlaw.discovery.scores import balanced_accuracy
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.augmentation import Augmentation
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import (
    BLACK_BOXES,
    REGULARISED,
    BlackBox,
    fit_classifier,
    predict_logits,
)
from latentlaw.training.config import TrainConfig, samples_per_epoch
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
        samples_per_epoch=max(samples_per_epoch(shape), _PIXELS_AN_EPOCH // math.prod(shape)),
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
