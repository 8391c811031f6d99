"""Features of shapes whose size, light and texture are known."""

import warnings

import numpy as np
import pytest
from latentlaw.errors import DataError
from latentlaw.evaluation.meanings.image_features import FEATURES, feature_of, image_features
from numpy.typing import NDArray

Image = NDArray[np.float64]


def ellipse(a: float, b: float, angle: float = 0.0, level: float = 100.0, box: int = 64) -> Image:
    """An ellipse of half axes a, b, turned by `angle` from x to y, on a level of 7."""
    y, x = np.mgrid[:box, :box] - box // 2
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return 7 + level * ((u / a) ** 2 + (v / b) ** 2 <= 1)


def measured(*images: Image) -> dict[str, NDArray[np.float64]]:
    table = image_features(np.stack(images)[:, None])
    return {name: table[name].to_numpy() for name in table}


def test_an_ellipse_has_its_own_area_axes_and_light() -> None:
    found = measured(ellipse(20, 10))
    assert found["area"][0] == pytest.approx(np.pi * 200, rel=0.02)
    assert found["major axis"][0] == pytest.approx(40, rel=0.02)
    assert found["minor axis"][0] == pytest.approx(20, rel=0.02)
    assert found["eccentricity"][0] == pytest.approx(np.sqrt(3) / 2, abs=0.01)
    assert found["solidity"][0] > 0.93  # of pixels, whose corners the hull holds too
    assert found["total intensity"][0] == pytest.approx(100 * np.pi * 200, rel=0.02)
    assert found["maximum"][0] == pytest.approx(100)
    assert found["objects"][0] == 1
    assert (found["x"][0], found["y"][0]) == pytest.approx((0, 0), abs=0.1)


def test_turning_changes_orientation_and_shifting_the_place_alone() -> None:
    turned = measured(ellipse(20, 10, 0.0), ellipse(20, 10, np.pi / 2), ellipse(20, 10, 0.5))
    for name in ("area", "eccentricity", "solidity", "total intensity"):
        assert np.ptp(turned[name]) < 0.03 * turned[name].mean()
    assert turned["cos 2 orientation"][0] == pytest.approx(
        -turned["cos 2 orientation"][1], abs=0.01
    )
    assert abs(turned["sin 2 orientation"][2]) == pytest.approx(np.sin(1), abs=0.03)
    shifted = measured(np.roll(ellipse(9, 9), (3, -5), axis=(0, 1)))
    assert (shifted["y"][0], shifted["x"][0]) == pytest.approx((3, -5), abs=0.01)


def test_texture_is_told_from_an_even_surface() -> None:
    rng = np.random.default_rng(0)
    even = ellipse(20, 15)
    rough = even + (even > 50) * rng.uniform(-40, 40, even.shape)
    found = measured(even, rough)
    assert found["contrast"][0] < 0.2 < found["contrast"][1]
    assert found["homogeneity"][0] > 0.9 > found["homogeneity"][1]
    assert found["entropy"][0] < found["entropy"][1]


def test_shape_is_of_the_largest_object_and_light_of_all() -> None:
    small = np.roll(ellipse(5, 5), (20, 20), axis=(0, 1)) - 7
    found = measured(ellipse(10, 10), ellipse(10, 10) + small)
    assert found["objects"].tolist() == [1, 2]
    assert found["major axis"][1] == pytest.approx(found["major axis"][0])
    assert found["area"][1] == pytest.approx(np.pi * 125, rel=0.03)


@pytest.mark.parametrize("level", [0.0, 5.0, -3e4])
def test_a_constant_image_has_no_object(level: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(np.full((16, 16), level))
    assert found["area"][0] == found["objects"][0] == found["total intensity"][0] == 0
    assert all(np.isnan(found[name][0]) for name in ("eccentricity", "maximum", "homogeneity"))


def test_a_single_voxel_and_a_line_are_measured_without_a_warning() -> None:
    dot, line = np.zeros((2, 16, 16))
    dot[8, 8] = line[8, 3:13] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(dot, line)
        thin = image_features(np.stack((dot, line))[:, None, None])
    assert found["objects"].tolist() == [1, 1]
    assert found["eccentricity"][0] < found["eccentricity"][1]
    assert thin["objects"].tolist() == [1, 1]
    assert found["solidity"].tolist() == [1, 1]


def test_volumes_have_a_volume_and_no_orientation() -> None:
    z, y, x = np.mgrid[:24, :24, :24] - 12
    ball = ((x**2 + y**2 + z**2) <= 49).astype(float)
    table = image_features(ball[None, None])
    assert table["area"][0] == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.05)
    assert table["major axis"][0] == pytest.approx(14, rel=0.05)
    assert table["z"][0] == pytest.approx(0, abs=0.1)
    assert set(FEATURES) - set(table) == {
        "homogeneity",
        "cos 2 orientation",
        "sin 2 orientation",
    }


def test_channels_are_measured_apart_and_batches_do_not_matter() -> None:
    stack = np.stack([np.stack((ellipse(20, 8), ellipse(b, b))) for b in (6, 9, 12)])
    table = image_features(stack, batch_size=2)
    assert len(table) == 3
    assert np.ptp(table["area of channel 0"]) == 0
    assert table["area of channel 1"].is_monotonic_increasing
    assert feature_of("area of channel 1").unit == "px"
    assert feature_of("sin 2 orientation of channel 0").nuisance


def test_images_with_nan_are_named() -> None:
    images = np.zeros((3, 1, 8, 8))
    images[2, 0, 1, 1] = np.nan
    with pytest.raises(DataError, match="image 2: found NaN"):
        image_features(images, batch_size=1)
