"""The best overlap over rotations: known answers, and none better by trying."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latentlaw.geometry.rotations import random_rotations
from latentlaw.priors.rotation_search import best_overlap
from latentlaw.priors.shells import Coefficients
from numpy.typing import NDArray
from scipy.special import sph_harm_y

Points = NDArray[np.float64]  # (n, 3) x y z


def coefficients(points: Points, degrees: int, shells: int = 2) -> Coefficients:
    """Expand point masses on the unit sphere, the i-th shell weighing the first i+1 points."""
    polar = np.arccos(points[:, 2] / np.linalg.norm(points, axis=1))
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    waves = np.concatenate(
        [
            sph_harm_y(degree, np.arange(-degree, degree + 1)[:, None], polar, azimuth).conj()
            for degree in range(degrees)
        ]
    )  # (degrees^2, n)
    return np.stack(
        [waves[:, : i + 1].sum(axis=1) for i in range(len(points) - shells, len(points))]
    )


def overlap(first: Coefficients, second: Coefficients) -> float:
    return float(np.vdot(first, second).real)


def rotations(n: int, seed: int) -> NDArray[np.float64]:
    return random_rotations(n, 3, torch.Generator().manual_seed(seed)).double().numpy()


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 20))
def test_a_shape_overlaps_with_itself_turned_as_with_itself(seed: int, degrees: int) -> None:
    points = np.random.default_rng(seed).normal(size=(5, 3))
    first = coefficients(points, degrees)
    second = coefficients(points @ rotations(1, seed)[0].T, degrees)
    assert best_overlap(first, second) == pytest.approx(overlap(first, first), rel=1e-4)


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_no_rotation_that_is_tried_does_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = generator.normal(size=(2, 4, 3))
    first = coefficients(one, 5)
    found = best_overlap(first, coefficients(other, 5))
    tried = max(overlap(first, coefficients(other @ turn.T, 5)) for turn in rotations(2000, seed))
    assert tried <= found + 1e-9
    assert tried > 0.9 * found


def test_a_mirror_image_is_another_shape() -> None:
    points = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0]])
    first = coefficients(points, 12)
    mirrored = coefficients(points * np.array([1, 1, -1]), 12)
    assert best_overlap(first, mirrored) < 0.95 * overlap(first, first)
