"""Measures on latents whose score is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.errors import DataError
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.evaluation.projection import project_2d
from latentlaw.evaluation.scores.classification import classification_scores, confusion
from latentlaw.evaluation.scores.classifiers import CLASSIFIERS, ClassifierKind, classify_latents
from latentlaw.evaluation.scores.novelty import novelty_auroc, placement_scores
from latentlaw.evaluation.scores.rotation import latent_cosine_under_rotation
from latentlaw.evaluation.scores.separation import (
    affinity_residual,
    affinity_spearman,
    learned_affinity,
    separation_scores,
)
from latentlaw.evaluation.strips import (
    interpolation_strip,
    pose_strip,
    reconstruction_strip,
    traversal_strip,
)
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.priors.table import AffinityTable


def blobs(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    index = np.arange(n) % classes
    centres = 4 * np.eye(classes, 4)
    names = np.array([f"c{i}" for i in range(classes)])
    return centres[index] + 0.1 * generator.normal(size=(n, 4)), names[index]


def test_tight_classes_separate_and_mixed_ones_do_not() -> None:
    mu, labels = blobs(60, 3)
    assert separation_scores(mu, labels)["separation/silhouette"] > 0.95
    shuffled = np.random.default_rng(0).permutation(labels)
    assert separation_scores(mu, shuffled)["separation/silhouette"] < 0.05
    assert separation_scores(mu, np.full(60, "a")) == {}


def test_learned_affinity_of_orthogonal_classes_is_the_identity() -> None:
    mu, labels = blobs(60, 3)
    np.testing.assert_allclose(
        learned_affinity(mu, labels, ["c0", "c1", "c2"]), np.eye(3), atol=0.02
    )


def test_affinity_spearman_is_of_ranks() -> None:
    prior = np.array([[1, 0.9, 0.1], [0.9, 1, -0.5], [0.1, -0.5, 1]])
    assert affinity_spearman(prior**3, prior) == pytest.approx(1)
    assert affinity_spearman(-prior, prior) == pytest.approx(-1)
    assert affinity_spearman(np.eye(2), np.eye(2)) is None


def test_residual_is_the_affinity_loss_of_class_means_and_not_below_the_floor() -> None:
    opposite = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])  # no three are so
    spread = np.where(np.eye(3), 1, -0.5)  # the nearest that three vectors come
    assert affinity_residual(spread, opposite) == pytest.approx(0.5)
    assert AffinityTable(tuple("abc"), opposite).floor == pytest.approx(0.5, abs=1e-4)
    spread[0] = spread[:, 0] = np.nan
    assert affinity_residual(spread, opposite) == pytest.approx(0.5)
    assert affinity_residual(np.full((3, 3), np.nan), opposite) is None


@pytest.mark.parametrize("classes", [2, 4])
def test_head_classifies_and_survives_json(classes: int) -> None:
    mu, labels = blobs(80, classes)
    head = fit_head(mu, labels, mu[:20])
    again = LatentHead.model_validate_json(head.model_dump_json())
    test, truth = blobs(40, classes, seed=1)
    assert (again.classify(test) == truth).all()
    np.testing.assert_allclose(again.probabilities(test).sum(axis=1), 1)


def test_novelty_is_uniform_on_known_and_largest_far_away() -> None:
    mu, labels = blobs(600, 3)
    head = fit_head(mu[:200], labels[:200], mu[200:400])
    known = head.novelty(mu[400:])
    assert (known > 0.95).mean() == pytest.approx(0.05, abs=0.05)
    assert head.novelty(np.array([[-1.0, -1, -1, -1]]))[0] == 200 / 201


def test_head_needs_two_classes() -> None:
    with pytest.raises(DataError, match="expected two for a classifier"):
        fit_head(np.zeros((4, 2)), np.full(4, "a"), np.zeros((2, 2)))


def test_scores_on_hand_counted_cases() -> None:
    truth, predicted = np.array(["a", "a", "b", "b"]), np.array(["a", "b", "b", "b"])
    scores = classification_scores(truth, predicted)
    assert scores["classification/accuracy"] == 0.75
    assert scores["classification/macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert confusion(truth, predicted, ["a", "b"])["counts"] == [[1, 1], [0, 2]]
    assert classification_scores(truth[:0], truth[:0]) == {}
    assert novelty_auroc(np.array([0.0, 0.1]), np.array([0.9])) == 1
    assert novelty_auroc(np.array([0.0]), np.array([])) is None


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_learn_from_training_latents_alone(kind: ClassifierKind) -> None:
    train, labels = blobs(60, 3)
    test, truth = blobs(30, 3, seed=1)
    assert (classify_latents(kind, train, labels, test, seed=0) == truth).all()
    renamed = np.array([{"c0": "c1", "c1": "c0"}.get(name, name) for name in labels])
    assert (classify_latents(kind, train, renamed, test, seed=0) != truth).mean() > 0.6
    with pytest.raises(DataError, match="expected two for a classifier"):
        classify_latents(kind, train, np.full(60, "a"), test, seed=0)


def test_unseen_class_is_placed_by_its_nearest_relative() -> None:
    prior = np.eye(4)
    prior[3, :3] = prior[:3, 3] = 0.9, 0.5, -0.2
    assert placement_scores(prior, prior, 3) == pytest.approx(
        {"novelty/affinity_spearman": 1, "novelty/relative_rank": 1}
    )
    swapped = prior.copy()
    swapped[3, :3] = swapped[:3, 3] = -0.2, 0.5, 0.9
    assert placement_scores(swapped, prior, 3) == pytest.approx(
        {"novelty/affinity_spearman": -1, "novelty/relative_rank": 3}
    )
    absent = np.full((4, 4), np.nan)
    assert placement_scores(absent, prior, 3) == {}
    assert placement_scores(prior, prior, 4) == {}


@given(st.integers(1, 6), st.integers(3, 30))
def test_projection_has_two_columns(dims: int, n: int) -> None:
    mu = np.random.default_rng(0).normal(size=(n, dims))
    assert project_2d(mu, np.ones(n, dtype=bool)).shape == (n, 2)


def tiny(shape: tuple[int, ...]) -> AutoEncoder:
    values = {"family": "affinity-vae", "image_shape": shape, "pose_dims": 3, "depth": 1}
    return AutoEncoder(ModelConfig.model_validate({**values, "channels": 4}))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 8, 8, 8)])
def test_pictures_and_invariance_of_any_dimension(shape: tuple[int, ...]) -> None:
    model, images = tiny(shape), np.random.default_rng(0).random((5, *shape), dtype=np.float32)
    strip = reconstruction_strip(model, images)
    assert strip.dtype == np.uint8
    assert strip.ndim == 2
    codes = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    one = traversal_strip(model, codes, codes[:, :3], 0)
    assert one.std() > 0
    assert traversal_strip(model, codes, codes[:, :3]).shape == (8 * one.shape[0], one.shape[1])
    assert pose_strip(model, codes, codes[:, :3]).shape == (3 * one.shape[0], one.shape[1])
    names = np.array(["a", "b", "c", "d"] * 5)
    walks = interpolation_strip(model, codes, codes[:, :3], names)
    assert walks.shape == (3 * one.shape[0], one.shape[1])
    assert -1 <= latent_cosine_under_rotation(model, images, seed=0) <= 1
