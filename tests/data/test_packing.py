"""Placement: no two spheres overlap, none crosses a face, and what cannot fit is said."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.simulation.packing import place_spheres
from latentlaw.errors import DataError
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

SHAPE = (40, 60, 50)


def place(radii: list[float], seed: int = 0) -> NDArray[np.float64]:
    return place_spheres(np.array(radii), SHAPE, torch.Generator().manual_seed(seed))


@given(st.lists(st.floats(0.5, 8), min_size=2, max_size=20), st.integers(0, 2**31))
def test_no_two_overlap_and_none_crosses_a_face(radii: list[float], seed: int) -> None:
    centres, size = place(radii, seed), np.array(radii)
    assert (centres == np.rint(centres)).all()
    gaps = squareform(pdist(centres)) - size[:, None] - size
    np.fill_diagonal(gaps, 0)
    assert gaps.min() >= 0
    assert (centres - size[:, None] >= 0).all()
    assert (centres + size[:, None] <= np.array(SHAPE)).all()


def test_places_are_spread_over_all_that_is_allowed() -> None:
    centres = np.concatenate([place([2.0], seed) for seed in range(600)])
    np.testing.assert_array_equal(centres.min(axis=0), (2, 2, 2))
    np.testing.assert_array_equal(centres.max(axis=0), np.array(SHAPE) - 3)
    # The mean of n uniform draws is off by spread / sqrt(12 n): four of those at most.
    tolerance = 4 * np.array(SHAPE) / np.sqrt(12 * 600)
    assert (abs(centres.mean(axis=0) - (np.array(SHAPE) - 1) / 2) < tolerance).all()


def test_a_seed_gives_the_same_places_and_another_does_not() -> None:
    np.testing.assert_array_equal(place([3.0, 5.0]), place([3.0, 5.0]))
    assert (place([3.0, 5.0]) != place([3.0, 5.0], seed=1)).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"found room for \d+ of 400 particles, .* in \(40, 60, 50\)"
    ):
        place([6.0] * 400)
    with pytest.raises(
        DataError, match=r"found no room for a particle of radius 20\.5 voxels in \(40, 60, 50\)"
    ):
        place([20.5])
