"""Nuclei of known factors: what is drawn is what is measured."""

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.simulation.nuclei import FACTORS, draw_factors, render_nuclei

BOX = 64


def one(**changes: float) -> pd.DataFrame:
    usual = {"size": 0.2, "elongation": 1.5, "intensity": 0.8}
    return pd.DataFrame([{**dict.fromkeys(FACTORS, 0.0), **usual, **changes}])


@pytest.mark.parametrize("texture", [0.0, 0.6])
def test_light_is_area_times_intensity_whatever_the_texture(texture: float) -> None:
    (image,) = render_nuclei(one(texture=texture), BOX)
    assert image.shape == (1, BOX, BOX)
    assert image.sum() == pytest.approx(0.8 * np.pi * (0.2 * BOX) ** 2, rel=5e-3)


def test_second_moments_are_those_of_the_ellipse() -> None:
    (image,) = render_nuclei(one(orientation=0.4, x=0.05, y=-0.03), BOX)[:, 0]
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    weights = image.ravel() / image.sum()
    points = np.stack((x.ravel(), y.ravel()))
    assert points @ weights == pytest.approx((0.05 * BOX, -0.03 * BOX), abs=0.02)
    covariance = np.cov(points, aweights=weights, ddof=0)
    variances, axes = np.linalg.eigh(covariance)
    # A filled ellipse has the variance of a quarter of its half axis squared.
    half = 2 * np.sqrt(variances)[::-1]
    assert half == pytest.approx(0.2 * BOX * np.sqrt([1.5, 1 / 1.5]), rel=0.01)
    assert np.arctan2(*axes[::-1, 1]) % np.pi == pytest.approx(0.4, abs=0.01)


def test_edges_are_smooth_and_a_shift_by_a_pixel_is_exact() -> None:
    here, there = render_nuclei(pd.concat((one(), one(x=1 / BOX))), BOX)[:, 0]
    assert len(np.unique(here)) > 4
    np.testing.assert_allclose(np.roll(here, 1, axis=1), there, atol=1e-6)


def test_factors_are_drawn_apart_in_their_ranges_and_all_nuclei_fit() -> None:
    factors = draw_factors(2000, torch.Generator().manual_seed(0))
    again = draw_factors(2000, torch.Generator().manual_seed(0))
    pd.testing.assert_frame_equal(factors, again)
    for name, (low, high) in FACTORS.items():
        assert factors[name].between(low, high).all()
        assert factors[name].mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    correlations = factors.corr().to_numpy() - np.eye(len(FACTORS))
    assert np.abs(correlations).max() < 0.08
    largest = {name: high for name, (_, high) in FACTORS.items()}
    (image,) = render_nuclei(pd.DataFrame([largest]), 32)[:, 0]
    border = np.ones((32, 32), bool)
    border[1:-1, 1:-1] = False
    assert image[border].max() == 0
