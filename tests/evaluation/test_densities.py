"""Densities of classes: Gaussians that are known, and classes too small to have one."""

import numpy as np
import pytest
from latentlaw.evaluation.head.densities import ClassDensities, unit_vectors
from latentlaw.evaluation.scores.novelty import novelty_auroc
from scipy.stats import multivariate_normal

GENERATOR = np.random.default_rng(0)
DIRECTIONS = np.array([[1.0, 0, 0], [0, 1, 0]])
# Clusters about two directions, long along the third axis.
SPREAD = np.array([0.02, 0.02, 0.3])


def clusters(n: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(["a", "b"], n)
    centres = np.repeat(DIRECTIONS, n, axis=0)
    return centres + GENERATOR.normal(size=(2 * n, 3)) * SPREAD, labels


def test_surprise_is_the_negative_log_density_of_the_likelier_class() -> None:
    mu, labels = clusters(20_000)
    fitted = ClassDensities.fit(mu, labels, ["a", "b"])
    unit = unit_vectors(mu)
    members = [unit[labels == name] for name in ("a", "b")]
    covariances = [np.cov(each.T) for each in members]
    # What keeps directions, which have no spread along themselves, from an infinite density.
    floor = 1e-3 * np.mean([np.trace(each) for each in covariances]) / 3 * np.eye(3)
    expected = -np.max(
        [
            multivariate_normal(each.mean(axis=0), covariance + floor).logpdf(unit[::1000])
            for each, covariance in zip(members, covariances, strict=True)
        ],
        axis=0,
    )
    constant = 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(fitted.surprise(unit[::1000]) + constant, expected, rtol=0.01)


def test_what_lies_across_a_flat_cluster_is_novel_though_it_is_near() -> None:
    mu, labels = clusters(500)
    fitted = ClassDensities.fit(mu, labels, ["a", "b"])
    across = DIRECTIONS[0] + np.array([[0.0, 0.15, 0.0]]) + 0.005 * GENERATOR.normal(size=(50, 3))
    nearest = (unit_vectors(across) @ DIRECTIONS[0]).mean()
    assert nearest > (unit_vectors(mu[:500]) @ DIRECTIONS[0]).mean()
    assert novelty_auroc(fitted.surprise(mu), fitted.surprise(across)) > 0.99


def test_length_of_a_latent_and_order_of_classes_do_not_matter() -> None:
    mu, labels = clusters(50)
    fitted = ClassDensities.fit(mu, labels, ["a", "b"])
    again = ClassDensities.fit(3 * mu, labels, ["b", "a"])
    np.testing.assert_allclose(again.surprise(mu), fitted.surprise(7 * mu))


@pytest.mark.parametrize("mu", [np.eye(4)[:3], np.ones((3, 4)), np.zeros((3, 4))])
def test_classes_of_one_particle_and_constant_latents_are_finite(mu: np.ndarray) -> None:
    fitted = ClassDensities.fit(mu, np.array(["a", "b", "b"]), ["a", "b"])
    assert np.isfinite(fitted.surprise(np.concatenate((mu, -mu, np.ones((1, 4)))))).all()
