"""The Gaussian of a resolution."""

import math

import pytest
from latentlaw.geometry.resolution import gaussian_sigma


def test_spectrum_falls_to_one_over_e_at_the_resolution() -> None:
    sigma, frequency = gaussian_sigma(30.0), 1 / 30.0
    assert math.exp(-2 * (math.pi * sigma * frequency) ** 2) == pytest.approx(1 / math.e)
