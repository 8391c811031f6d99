"""What is compared of two maps is what its name says, measured the plain way on voxels."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.geometry.resolution import gaussian_sigma
from latentlaw.priors.descriptors import fourier_shells, power_spectrum, real_space
from latentlaw.priors.shells import Coefficients, DensityMap, Shells, common_shells, expand
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

_BOX, _VOXEL, _RESOLUTION = 48, 8.0, 40.0


@pytest.fixture(scope="module")
def pair() -> list[NDArray[np.float32]]:
    """Two shapes at the resolution, their centres of mass on the centre voxel."""
    sigma = gaussian_sigma(_RESOLUTION) / _VOXEL
    return [
        gaussian_filter(phantom_map(PHANTOMS[name](), _BOX, _VOXEL), sigma)
        for name in ("barrel", "bilobe")
    ]


def overlap_of(
    describe: Callable[[Coefficients, Shells], Coefficients],
) -> tuple[float, float]:
    """Overlap of the pair as it lies, and radius of the ball that was compared."""
    maps = [
        DensityMap(str(i), phantom_map(PHANTOMS[name](), _BOX, _VOXEL), _VOXEL)
        for i, name in enumerate(("barrel", "bilobe"))
    ]
    shells = common_shells(maps, _RESOLUTION)
    first, second = (describe(expand(each, shells), shells) for each in maps)
    return float(np.vdot(first, second).real), float(shells.radii_a[-1])


def test_real_space_overlap_is_the_correlation_coefficient(
    pair: list[NDArray[np.float32]],
) -> None:
    found, radius = overlap_of(real_space)
    grid = (np.indices((_BOX,) * 3) - _BOX // 2) * _VOXEL
    ball = np.linalg.norm(grid, axis=0) < radius + _RESOLUTION / 8
    expected = np.corrcoef(pair[0][ball], pair[1][ball])[0, 1]
    assert found == pytest.approx(expected, abs=0.01)


def test_fourier_overlap_is_the_mean_fourier_shell_correlation(
    pair: list[NDArray[np.float32]],
) -> None:
    found, _ = overlap_of(fourier_shells)
    spectra = [np.fft.fftn(np.fft.ifftshift(volume)) for volume in pair]
    axes = np.meshgrid(*[np.fft.fftfreq(_BOX, _VOXEL)] * 3, indexing="ij")
    frequency = np.linalg.norm(axes, axis=0)
    curve = []
    edges = np.linspace(0, 1 / _RESOLUTION, 13)
    for low, high in pairwise(edges):
        near = (frequency >= low) & (frequency < high)
        first, second = spectra[0][near], spectra[1][near]
        curve.append(np.vdot(first, second).real / np.linalg.norm(first) / np.linalg.norm(second))
    assert found == pytest.approx(float(np.mean(curve)), abs=0.02)


def test_power_of_a_ball_is_in_degree_zero() -> None:
    grid = np.linalg.norm(np.indices((32,) * 3) - 16, axis=0)
    ball = DensityMap("ball", (grid < 8).astype(np.float32), 10.0)
    shells = common_shells([ball], 40.0)
    powers = power_spectrum(expand(ball, shells), shells).reshape(-1, shells.degrees)
    assert (powers[:, 0] ** 2).sum() > 0.995
