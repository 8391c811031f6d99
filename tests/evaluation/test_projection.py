"""Pictures of a latent space keep together what is together."""

import numpy as np
import pytest
from latentlaw.evaluation.projection import METHODS, Method, project_latents


def two_directions(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.zeros((n, 5))
    centres[: n // 2, 0], centres[n // 2 :, 1] = 5, 5
    return centres + rng.normal(0, 0.2, (n, 5))


def test_the_first_axis_of_pca_is_that_of_most_variance() -> None:
    mu = np.random.default_rng(0).normal(size=(500, 3)) * (0.1, 5, 1)
    plane = project_latents(mu, "pca")
    assert abs(np.corrcoef(plane[:, 0], mu[:, 1])[0, 1]) > 0.999
    assert abs(np.corrcoef(plane[:, 1], mu[:, 2])[0, 1]) > 0.99


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])
def test_two_directions_are_two_clusters_the_same_each_time(method: Method) -> None:
    mu = two_directions(80)
    plane = project_latents(mu, method)
    one, other = plane[:40], plane[40:]
    apart = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    assert apart > 2 * max(one.std(axis=0).max(), other.std(axis=0).max())
    np.testing.assert_array_equal(plane, project_latents(mu, method))


def test_of_too_many_a_sample_is_laid_out_and_the_rest_is_nowhere() -> None:
    plane = project_latents(two_directions(90), "tsne", most=40)
    assert np.isfinite(plane).all(axis=1).sum() == 40
    assert np.isfinite(project_latents(two_directions(90), "pca", most=40)).all()


def test_few_particles_or_none_or_latents_that_are_not_finite_are_no_fault() -> None:
    for method in METHODS:
        assert project_latents(np.zeros((0, 3)), method).shape == (0, 2)
        assert np.isfinite(project_latents(np.eye(3), method)).all()
    assert np.isfinite(project_latents(np.ones((3, 1)), "pca")).all()
    mu = two_directions(10)
    mu[3] = np.nan
    assert np.flatnonzero(np.isnan(project_latents(mu, "pca")[:, 0])).tolist() == [3]
