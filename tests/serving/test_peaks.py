"""Peaks stand out from a background that is found without knowing where they are."""

import numpy as np
from latentlaw.serving.prediction.peaks import Background, apart, find_background, local_maxima
from scipy.stats import norm

SHAPE = (24, 30, 30)


def scores_with(count: int, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Background N(0.1, 0.02) with `count` bumps, and where they are."""
    generator = np.random.default_rng(0)
    scores = generator.normal(0.1, 0.02, SHAPE)
    grid = np.stack(np.meshgrid(*[np.arange(4, n - 3, 6) for n in SHAPE], indexing="ij"), -1)
    places = generator.permutation(grid.reshape(-1, 3))[:count]
    for place in places:
        around = np.indices(SHAPE) - place[:, None, None, None]
        scores += height * np.exp(-(around**2).sum(axis=0) / 2)
    return scores, places


def test_background_is_told_from_particles() -> None:
    scores, places = scores_with(40, 0.4)
    assert scores.std() > 2 * 0.02  # which a plain deviation would not
    background = find_background(scores, local_maxima(scores), 4, None)
    np.testing.assert_allclose(background.mean, 0.1, atol=0.002)
    np.testing.assert_allclose(background.deviation, 0.02, rtol=0.03)
    peaks = local_maxima(scores)
    high = background.standardise(scores[tuple(peaks.T)]) > background.threshold + 1
    assert {tuple(p) for p in peaks[high]} == {tuple(p) for p in places}


def test_noise_alone_gives_about_one_peak() -> None:
    found = []
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=SHAPE)
        peaks = local_maxima(scores)
        background = find_background(scores, peaks, 4, None)
        high = background.standardise(scores[tuple(peaks.T)]) > background.threshold
        found.append(int(high.sum()))
    assert 0.4 < np.mean(found) < 1.8


def test_threshold_is_what_one_window_of_all_reaches() -> None:
    threshold = Background(0.0, 1.0, 10_000).threshold
    assert norm.sf(threshold) * 10_000 == 1 or abs(norm.sf(threshold) * 10_000 - 1) < 1e-9


def test_windows_that_are_no_number_are_no_peaks() -> None:
    scores = np.zeros((5, 5, 5))
    scores[1, 1, 1], scores[3, 3, 3], scores[3, 3, 2] = np.nan, 2, 1
    assert [3, 3, 3] in local_maxima(scores).tolist()
    assert [1, 1, 1] not in local_maxima(scores).tolist()
    assert [3, 3, 2] not in local_maxima(scores).tolist()


def test_of_near_places_the_highest_is_kept() -> None:
    places = np.array([[0.0, 0, 0], [3, 0, 0], [6, 0, 0], [20, 0, 0]])
    # The second is near both the first and third; these are apart from each other.
    assert apart(places, np.array([2.0, 3, 1, 5]), 4).tolist() == [3, 1]
    assert apart(places, np.array([3.0, 2, 1, 5]), 4).tolist() == [3, 0, 2]
