"""Density maps as spherical harmonics of shells: the grid that maps of any box and voxel share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import sph_harm_y

from latentlaw.errors import DataError
from latentlaw.geometry.resolution import gaussian_sigma

Coefficients = NDArray[np.complex128]  # (shells, degrees^2), by degree l, then m from -l to l
_MAX_DEGREES = 32
_SUPPORT = 0.99  # share of the density that the shells must reach


@dataclass(frozen=True)
class DensityMap:
    """A map `(z, y, x)`, protein bright, with the edge of its voxels in angstrom."""

    name: str
    density: NDArray[Any]
    voxel_size_a: float


@dataclass(frozen=True)
class Shells:
    """Where maps are compared.

    Attributes
    ----------
    radii_a
        Radii `(shells,)` about the centre of mass, evenly spaced, in angstrom.
    degrees
        Spherical harmonics of degree l < `degrees` are kept.
    resolution_a
        Maps are blurred to it.
    """

    radii_a: NDArray[np.float64]
    degrees: int
    resolution_a: float


def common_shells(maps: Sequence[DensityMap], resolution_a: float) -> Shells:
    """Return the shells that reach the largest map and resolve `resolution_a`.

    A structure of the resolution d at radius R has degrees up to 2 pi R / d.
    """
    reach = max(_support_radius(each) for each in maps) + resolution_a / 2
    step = resolution_a / 4
    degrees = min(_MAX_DEGREES, int(np.ceil(2 * np.pi * reach / resolution_a)) + 1)
    return Shells(np.arange(0.5, reach / step) * step, degrees, resolution_a)


def expand(density_map: DensityMap, shells: Shells) -> Coefficients:
    """Expand a map, blurred to the resolution, in spherical harmonics about its centre of mass.

    Returns
    -------
    ndarray
        Complex coefficients `(shells, degrees^2)`: by degree l, then by order from -l to l.

    Raises
    ------
    DataError
        If the map is no volume, or holds no positive density or values that are not finite.
    """
    density = _positive(density_map)
    voxel = density_map.voxel_size_a
    blur = gaussian_sigma(shells.resolution_a) / voxel
    density = gaussian_filter(density, blur, mode="constant")
    # After the blur, four voxels to the resolution hold all there is.
    step = max(1, int(shells.resolution_a / 4 / voxel))
    density, voxel = density[::step, ::step, ::step], voxel * step
    directions, basis = _sphere(shells.degrees)
    centre = _centre_of_mass(density)[:, None, None]
    points = centre + (shells.radii_a / voxel)[:, None] * directions[:, None, :]
    values = map_coordinates(density, points.reshape(3, -1), order=3, mode="constant")
    coefficients: Coefficients = values.reshape(len(shells.radii_a), -1) @ basis
    return coefficients


def degree_slices(degrees: int) -> list[slice]:
    """Return where each degree's orders lie among the `degrees^2` coefficients."""
    return [slice(degree**2, (degree + 1) ** 2) for degree in range(degrees)]


def _positive(density_map: DensityMap) -> NDArray[np.float32]:
    """Density without what is negative, which is taken as solvent."""
    density = np.maximum(np.asarray(density_map.density, dtype=np.float32), 0)
    total = density.sum(dtype=np.float64)
    if density.ndim != 3 or not np.isfinite(total) or total <= 0:
        raise DataError(
            f"affinity: found no positive density, or values that are not finite, in map "
            f"{density_map.name!r} of shape {density.shape}, expected a volume, protein bright"
        )
    return density


def _centre_of_mass(density: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre `(3,)`, z y x in voxels."""
    profiles = [density.sum(axis=axes, dtype=np.float64) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.array([profile @ np.arange(len(profile)) / profile.sum() for profile in profiles])


def _support_radius(density_map: DensityMap) -> float:
    """Radius in angstrom about the centre of mass that holds nearly all of the density."""
    density = _positive(density_map)
    axes = [
        (np.arange(size) - centre) ** 2
        for size, centre in zip(density.shape, _centre_of_mass(density), strict=True)
    ]
    distances = np.sqrt(axes[0][:, None, None] + axes[1][:, None] + axes[2])
    held = np.cumsum(np.bincount(np.ceil(distances).astype(int).ravel(), density.ravel()))
    return float(np.searchsorted(held, _SUPPORT * held[-1])) * density_map.voxel_size_a


@cache
def _sphere(degrees: int) -> tuple[NDArray[np.float64], Coefficients]:
    """Gauss-Legendre quadrature, exact for products of two harmonics below `degrees`.

    Returns
    -------
    directions, basis
        Unit vectors `(3, points)`, z y x; weighted conjugate harmonics `(points, degrees^2)`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(degrees)
    azimuths = 2 * np.pi * np.arange(2 * degrees) / (2 * degrees)
    polar, azimuth = (
        each.ravel() for each in np.meshgrid(np.arccos(nodes), azimuths, indexing="ij")
    )
    weight = np.repeat(weights, len(azimuths)) * 2 * np.pi / len(azimuths)
    harmonics: Coefficients = np.concatenate(
        [
            sph_harm_y(degree, np.arange(-degree, degree + 1)[:, None], polar, azimuth)
            for degree in range(degrees)
        ]
    )
    sin = np.sin(polar)
    directions: NDArray[np.float64] = np.stack(
        (np.cos(polar), sin * np.sin(azimuth), sin * np.cos(azimuth))
    )
    return directions, (harmonics.conj() * weight).T
