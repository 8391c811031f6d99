"""Choices are based on validation particles: nothing of the test set can change them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from latentlaw.data.particles.loading import ArrayImages
from latentlaw.data.particles.splits import HELD_OUT, TEST, TRAIN, VAL
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.evaluation.validation import validation_measures, without_test
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.prepare import PreparedData
from latentlaw.training.seeds import seeded_initialisation

AFFINITY = torch.tensor([[1.0, 0.2], [0.2, 1.0]])


@pytest.fixture
def data() -> PreparedData:
    """Bars, lying and standing, 20 of each: 24 to train on, 8 to validate, 8 to test."""
    images = np.random.default_rng(0).normal(0, 0.1, (40, 1, 8, 8)).astype(np.float32)
    images[::2, :, 3:5, :] += 1
    images[1::2, :, :, 3:5] += 1
    labels = np.array(["lying", "standing"] * 20)
    split = np.array([TRAIN] * 24 + [VAL] * 8 + [TEST] * 8, dtype="<U8")
    return PreparedData(ArrayImages(images), labels, split, ["lying", "standing"])


@pytest.fixture
def model() -> AutoEncoder:
    with seeded_initialisation(0):
        config = ModelConfig(
            family="beta-vae", image_shape=(1, 8, 8), pose_dims=0, channels=4, depth=1
        )
        return AutoEncoder(config)


@pytest.fixture
def head(model: AutoEncoder, data: PreparedData) -> LatentHead:
    rows = data.rows(TRAIN)
    codes = embed(model, data.particles(rows)).mu
    return fit_head(codes, data.labels[rows], embed(model, data.particles(data.rows(VAL))).mu)


def test_nothing_of_the_test_set_is_looked_at(
    model: AutoEncoder, head: LatentHead, data: PreparedData
) -> None:
    def measures(of: PreparedData) -> dict[str, float]:
        return validation_measures(model, head, of, affinity=AFFINITY, seed=0)

    found = measures(data)
    assert found["classification/macro_f1"] == 1.0
    assert {"separation/silhouette", "affinity/residual", "rotation/latent_cosine"} <= set(found)
    assert not [name for name in found if name.startswith("novelty/")], "it is calibrated on them"
    images = np.asarray(data.images.images).copy()
    images[32:] = np.nan
    assert measures(replace(data, images=ArrayImages(images))) == found
    labels = data.labels.copy()
    labels[24:32] = labels[24:32][::-1]
    assert measures(replace(data, labels=labels))["classification/macro_f1"] == 0.0


def test_a_method_that_chooses_does_so_on_a_part_of_training(data: PreparedData) -> None:
    groups = np.repeat(np.arange(10), 4).astype(str)
    split = without_test(data, groups, seed=0).split
    assert (split[data.split == TEST] == HELD_OUT).all()
    assert (split[data.split == VAL] == TEST).all()
    train = split[data.split == TRAIN]
    assert set(train) == {TRAIN, VAL}
    assert (train == VAL).sum() < (train == TRAIN).sum()
    chosen = set(groups[split == VAL])
    assert not chosen & set(groups[split == TRAIN]), "a group is on both sides"
