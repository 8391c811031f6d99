"""Procedural macromolecules: shapes made of Gaussian blobs, of the size of real complexes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 3), x y z in angstrom from the centre of mass


def _ring(radius: float, count: int, z: float) -> Points:
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack((radius * np.cos(angle), radius * np.sin(angle), np.full(count, z)), axis=1)


def _line(start: tuple[float, float, float], end: tuple[float, float, float]) -> Points:
    steps = max(2, int(np.linalg.norm(np.subtract(end, start)) // 12))
    return np.linspace(start, end, steps)


def barrel() -> Points:
    """Return the points `(n, 3)` of four stacked seven-fold rings, like a proteasome core."""
    return np.concatenate([_ring(45.0, 14, z) for z in (-60.0, -20.0, 20.0, 60.0)])


def capped_barrel() -> Points:
    """Return the points `(n, 3)` of the barrel with a lid on one end, its near-relative."""
    lid = [_ring(30.0, 9, 85.0), _ring(12.0, 4, 98.0)]
    return np.concatenate([barrel(), *lid])


def shell() -> Points:
    """Return the points `(n, 3)` of a hollow sphere, like apoferritin."""
    count = 90
    z = 1 - (2 * np.arange(count) + 1) / count
    azimuth = np.pi * (1 + 5**0.5) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return 62.0 * np.stack((radius * np.cos(azimuth), radius * np.sin(azimuth), z), axis=1)


def antibody() -> Points:
    """Return the points `(n, 3)` of three arms in a Y, like an immunoglobulin."""
    return np.concatenate(
        (
            _line((0, 0, 0), (0, 0, -85)),
            _line((6, 0, -10), (6, 0, -85)),
            _line((0, 0, 0), (70, 0, 60)),
            _line((6, 10, 0), (76, 10, 60)),
            _line((0, 0, 0), (-70, 0, 60)),
            _line((-6, -10, 0), (-76, -10, 60)),
        )
    )


def rod() -> Points:
    """Return the points `(n, 3)` of a two-stranded helix, like a short filament."""
    t = np.linspace(-95, 95, 60)
    strand = np.stack((16 * np.cos(t / 15), 16 * np.sin(t / 15), t), axis=1)
    return np.concatenate((strand, strand * np.array((-1, -1, 1))))


def bilobe() -> Points:
    """Return the points `(n, 3)` of two unequal lobes joined by a neck, like a ribosome."""
    generator = np.random.default_rng(7)
    large = generator.normal(size=(90, 3))
    large *= 52 * generator.random((90, 1)) ** (1 / 3) / np.linalg.norm(large, axis=1)[:, None]
    small = generator.normal(size=(40, 3))
    small *= 34 * generator.random((40, 1)) ** (1 / 3) / np.linalg.norm(small, axis=1)[:, None]
    return np.concatenate((large + np.array((0, 0, -30)), small + np.array((25, 15, 55))))


PHANTOMS: dict[str, Callable[[], Points]] = {
    "antibody": antibody,
    "barrel": barrel,
    "bilobe": bilobe,
    "capped_barrel": capped_barrel,
    "rod": rod,
    "shell": shell,
}


def phantom_map(points: Points, box: int, voxel_size_a: float) -> NDArray[np.float32]:
    """Render points as Gaussians of 12 angstrom resolution.

    Parameters
    ----------
    points
        Centres `(n, 3)`, x y z in angstrom; their mean goes to the centre voxel box//2.
    box
        Edge of the map in voxels.
    voxel_size_a
        Edge of a voxel in angstrom.

    Returns
    -------
    ndarray
        Density `(box, box, box)`, zyx, protein bright.
    """
    sigma = max(9.0, 0.6 * voxel_size_a)
    axis = (np.arange(box) - box // 2) * voxel_size_a
    centred = points - points.mean(axis=0)
    profiles = np.exp(-0.5 * ((axis[None, :, None] - centred[:, None, :]) / sigma) ** 2)
    x, y, z = np.moveaxis(profiles, 2, 0)  # each (points, box)
    density = np.einsum("pz,py,px->zyx", z, y, x, optimize=True)
    return np.asarray(density, dtype=np.float32)
