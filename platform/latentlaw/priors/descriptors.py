"""Shape similarity of density maps: what an affinity is computed from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import sph_harm_y

from latentlaw.errors import DataError
from latentlaw.priors.table import AffinityTable

Volume = NDArray[np.floating[Any]]
_LEVELS = 12  # degrees l of the spherical harmonics
_POINTS = 1024  # on the sphere, enough to integrate l < 12


def harmonics_affinity(maps: Mapping[str, Volume]) -> AffinityTable:
    """Compute an affinity from rotation-invariant spherical-harmonic power spectra.

    Each map is cut into shells about its centre of mass; the power of a shell at each degree l,
    `sqrt(sum_m |c_lm|^2)`, does not change under rotation (Kazhdan et al. 2003). The cosine of
    descriptors centred on their mean over the maps lies in [-1, 1] and is a correlation matrix
    by construction, so latent cosines can meet it exactly.

    Parameters
    ----------
    maps
        Density maps `(z, y, x)` by class name, at one voxel size and box.

    Raises
    ------
    DataError
        If there are fewer than two maps, or their boxes differ, or one is empty.
    """
    shapes = {name: volume.shape for name, volume in maps.items()}
    if len(maps) < 2:
        raise DataError(f"affinity: found {len(maps)} map; similarities need at least two")
    if len(set(shapes.values())) > 1:
        raise DataError(f"affinity: maps must share one box, found {shapes}")
    descriptors = np.stack([power_spectrum(name, volume) for name, volume in maps.items()])
    centred = descriptors - descriptors.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    values = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(values, 1.0)
    return AffinityTable(tuple(maps), values)


def power_spectrum(name: str, volume: Volume) -> NDArray[np.float64]:
    """Return the power of each shell and degree as one vector of unit length.

    Parameters
    ----------
    volume
        Density `(z, y, x)`; negative densities are taken as solvent.
    """
    density = np.maximum(np.asarray(volume, dtype=np.float64), 0)
    total = density.sum()
    if not np.isfinite(total) or total <= 0:
        raise DataError(f"affinity: map {name!r} holds no positive density")
    grid = np.indices(density.shape).reshape(3, -1)
    centre = grid @ density.reshape(-1) / total
    radii = np.arange(0.5, min(density.shape) / 2, 1.0)
    directions, polar, azimuth = _fibonacci_sphere(_POINTS)
    points = centre[:, None, None] + radii[None, :, None] * directions[:, None, :]
    shells = map_coordinates(density, points.reshape(3, -1), order=1, mode="constant")
    shells = shells.reshape(len(radii), _POINTS)
    powers = np.empty((len(radii), _LEVELS))
    for degree in range(_LEVELS):
        orders = np.arange(-degree, degree + 1)
        basis = sph_harm_y(degree, orders[:, None], polar[None], azimuth[None])
        coefficients = shells @ basis.conj().T * (4 * np.pi / _POINTS)
        powers[:, degree] = np.linalg.norm(coefficients, axis=1)
    weighted = (powers * radii[:, None]).ravel()  # a shell's area grows with r^2
    unit: NDArray[np.float64] = weighted / np.linalg.norm(weighted)
    return unit


def _fibonacci_sphere(
    points: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Evenly spread unit vectors `(3, points)` in z, y, x, with their polar angle and azimuth."""
    cos_polar: NDArray[np.float64] = 1 - (2 * np.arange(points) + 1) / points
    polar: NDArray[np.float64] = np.arccos(cos_polar)
    azimuth = np.pi * (1 + 5**0.5) * np.arange(points, dtype=np.float64)
    sin_polar = np.sin(polar)
    directions = np.stack((cos_polar, sin_polar * np.sin(azimuth), sin_polar * np.cos(azimuth)))
    return directions, polar, azimuth
