"""Natural shifts do what they say, on images where that can be told."""

import numpy as np
import pytest
import torch
from latentlaw.data.simulation.nuclei import draw_factors, render_nuclei
from latentlaw.errors import ConfigError
from latentlaw.evaluation.meanings.perturbations import named_features
from latentlaw.evaluation.meanings.shifts import Shift, apply_shift

BACKGROUND = 7.0


def nuclei(n: int = 6) -> np.ndarray:
    factors = draw_factors(n, torch.Generator().manual_seed(1))
    return 100 * render_nuclei(factors, 32) + np.float32(BACKGROUND)


def shifted(text: str, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return apply_shift(images, Shift.parse(text), torch.Generator().manual_seed(seed))


def total(images: np.ndarray) -> np.ndarray:
    return (images - BACKGROUND).sum(axis=tuple(range(1, images.ndim)))


def test_intensity_scales_light_and_leaves_the_background() -> None:
    images = nuclei()
    moved = shifted("intensity_0.5", images)
    np.testing.assert_allclose(moved - BACKGROUND, 0.5 * (images - BACKGROUND), atol=1e-3)


def test_equal_intensity_makes_totals_alike_and_keeps_shapes() -> None:
    images = nuclei()
    moved = shifted("equal_intensity", images)
    before, after = named_features(images), named_features(moved)
    assert before["total intensity"].std() > 0.1 * before["total intensity"].mean()
    np.testing.assert_allclose(
        after["total intensity"], before["total intensity"].mean(), rtol=1e-3
    )
    np.testing.assert_allclose(after["area"], before["area"], atol=1)
    np.testing.assert_allclose(after["elongation"], before["elongation"], rtol=0.02)


def test_images_without_light_stay() -> None:
    images = np.full((2, 1, 8, 8), 3, np.float32)
    np.testing.assert_array_equal(shifted("equal_intensity", images), images)


def test_noise_has_the_strength_that_it_is_given() -> None:
    images = nuclei()
    noise = shifted("noise_0.3", images) - images
    spread = images.std(axis=(1, 2, 3))
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), 0.3 * spread, rtol=0.1)
    np.testing.assert_array_equal(noise, shifted("noise_0.3", images) - images)
    assert not np.array_equal(noise, shifted("noise_0.3", images, seed=1) - images)


def test_blur_keeps_light_and_lowers_the_peak() -> None:
    images = nuclei()
    moved = shifted("blur_1.5", images)
    np.testing.assert_allclose(total(moved), total(images), rtol=1e-3)
    assert (moved.max(axis=(1, 2, 3)) < images.max(axis=(1, 2, 3))).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_an_impulse_moves_by_whole_voxels_in_every_direction(dims: int) -> None:
    images = np.zeros((60, 1, *[11] * dims), np.float32)
    images[(slice(None), 0, *[5] * dims)] = 1
    moved = shifted("translation_3", images)
    places = np.argwhere(moved[:, 0] == moved.max())[:, 1:] - 5
    assert np.abs(places).sum(axis=1).tolist() == [3] * 60
    assert len(np.unique(places, axis=0)) == 2 * dims
    assert shifted("translation_3", moved).shape == images.shape


def test_what_leaves_the_box_does_not_come_back() -> None:
    images = np.zeros((20, 1, 9, 9), np.float32)
    images[:, 0, 1:3, 1:3] = 50
    moved = shifted("translation_4", images)
    assert set(moved.sum(axis=(1, 2, 3)).tolist()) == {0.0, 200.0}


@pytest.mark.parametrize("dims", [2, 3])
def test_rotation_turns_by_its_angle_and_brings_in_background(dims: int) -> None:
    images = np.full((8, 1, *[17] * dims), BACKGROUND, np.float32)
    centre = (np.indices([17] * dims) - 8) ** 2
    images[:, 0] += 40 * (centre.sum(axis=0) <= 16)  # a ball: turns leave it
    moved = shifted("rotation_30", images)
    np.testing.assert_allclose(total(moved), total(images), rtol=0.05)
    assert moved.min() >= BACKGROUND - 1e-3
    np.testing.assert_allclose(shifted("rotation_0", images), images, atol=1e-3)


def test_a_quarter_turn_of_a_plane_is_one_way_or_the_other() -> None:
    images = nuclei(12)[..., 1:, 1:]  # odd, so that the centre stays
    moved = shifted("rotation_90", images)
    ways = set()
    for one, other in zip(images[:, 0], moved[:, 0], strict=True):
        fits = [np.allclose(np.rot90(one, k), other, atol=0.1) for k in (1, -1)]
        assert any(fits)
        ways.add(fits.index(True))
    assert ways == {0, 1}


@pytest.mark.parametrize("text", ["noise_0.3", "translation_2", "rotation_-15", "equal_intensity"])
def test_names_come_back(text: str) -> None:
    assert Shift.parse(text).name == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noisy_1", r"found 'noisy_1', expected KIND_STRENGTH .* \(did you mean 'noise'\?\)"),
        ("noise", "found 'noise', expected KIND_STRENGTH"),
        ("noise_x", "found 'noise_x', expected KIND_STRENGTH"),
        ("noise_nan", "found 'noise_nan'"),
        ("blur_0", "found 'blur_0', expected a number above 0"),
        ("translation_1.5", "expected a whole number above 0"),
        ("equal_intensity_1", "did you mean 'equal_intensity'"),
    ],
)
def test_a_bad_name_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Shift.parse(text)


def test_a_translation_out_of_the_box_is_refused() -> None:
    with pytest.raises(ConfigError, match="translation_32, expected less than"):
        shifted("translation_32", nuclei(1))
