"""Affinity of images: the best turn's correlation."""

import numpy as np
import pytest
from latentlaw.errors import DataError
from latentlaw.priors.images import image_affinity
from scipy.ndimage import gaussian_filter


def shapes(n: int, *, seed: int = 0) -> np.ndarray:
    """Smooth random images `(n, 33, 33)`, whose centre voxel is their middle."""
    noise = np.random.default_rng(seed).normal(size=(n, 33, 33))
    return gaussian_filter(noise, (0, 3, 3))


def test_a_turned_copy_is_alike_and_others_are_not() -> None:
    a, b, c = shapes(3)
    table = image_affinity(
        ("a", "turned", "b", "c"), np.stack((a, np.rot90(a), b, c))[None], blur=1
    )
    assert table.values[0, 1] == pytest.approx(1, abs=1e-3)
    assert table.values[0, 2:].max() < 0.6
    assert table.smallest_eigenvalue > -1e-6


def test_it_does_not_change_when_images_turn_or_brighten() -> None:
    images = shapes(4)
    turned = np.stack([3 * np.rot90(image, i) + 5 for i, image in enumerate(images)])
    names = tuple("abcd")
    before, after = (image_affinity(names, each[None], blur=0.5) for each in (images, turned))
    # Blurring sees nothing beyond the box, which is darker than what was brightened by 5.
    np.testing.assert_allclose(before.values, after.values, atol=0.05)


def test_samples_count_alike() -> None:
    first, second = shapes(4), shapes(4, seed=1)
    names = tuple("abcd")
    both = image_affinity(names, np.stack((first, second)), blur=1)
    again = image_affinity(names, np.stack((second, first)), blur=1)
    np.testing.assert_allclose(both.values, again.values)
    assert not np.allclose(both.values, image_affinity(names, first[None], blur=1).values)


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(DataError, match=r"images \(1, 3, 33, 33\) for 2 classes"):
        image_affinity(("a", "b"), shapes(3)[None], blur=1)
    blank = shapes(3)
    blank[1] = 0
    with pytest.raises(DataError, match="found a constant image, 1 of 3"):
        image_affinity(tuple("abc"), blank[None], blur=1)
