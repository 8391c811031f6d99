"""Simulated tomograms: particles at random poses, a missing wedge, noise at a given SNR."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from latentlaw.errors import DataError
from latentlaw.geometry.rotations import quaternion_to_matrix, random_quaternions
from latentlaw.geometry.volumes import apply_fourier_mask, rotate_images, wedge_mask

Volume = NDArray[np.float32]
_PLACEMENT_TRIES = 400


@dataclass(frozen=True)
class Acquisition:
    """How a tomogram is recorded.

    Attributes
    ----------
    shape
        Voxels `(z, y, x)`.
    voxel_size_a
        Edge of a voxel in angstrom.
    snr
        Variance of the tomogram without noise over the variance of the noise, both inside the
        measured wedge.
    tilt_range_deg
        Tilts run from minus to plus this angle about y; 90 leaves no missing wedge.
    """

    shape: tuple[int, int, int]
    voxel_size_a: float
    snr: float
    tilt_range_deg: float


@dataclass(frozen=True)
class SimulatedTomogram:
    """A tomogram `(z, y, x)`, protein bright, and its truth as rows of a particle table."""

    volume: Volume
    particles: pd.DataFrame


def simulate_tomogram(
    name: str,
    templates: Mapping[str, Volume],
    acquisition: Acquisition,
    *,
    particles: int,
    generator: torch.Generator,
) -> SimulatedTomogram:
    """Simulate one tomogram with `particles` particles of classes in turn, none overlapping.

    Parameters
    ----------
    templates
        Density maps `(b, b, b)` by class name, at the acquisition's voxel size.
    generator
        Source of the poses, places and noise.

    Raises
    ------
    DataError
        If the particles do not fit into the volume.
    """
    names = sorted(templates)
    labels = [names[i % len(names)] for i in range(particles)]
    quaternions = random_quaternions(particles, generator)
    radii = {key: _support_radius(value) for key, value in templates.items()}
    centres = _place([radii[label] for label in labels], acquisition.shape, generator)
    clean = torch.zeros(acquisition.shape)
    for label, quaternion, centre in zip(labels, quaternions, centres, strict=True):
        template = torch.from_numpy(templates[label])[None, None]
        posed = rotate_images(template, quaternion_to_matrix(quaternion)[None])[0, 0]
        _add(clean, posed, centre)
    mask = wedge_mask(acquisition.shape, acquisition.tilt_range_deg)
    signal = apply_fourier_mask(clean, mask)
    noise = apply_fourier_mask(torch.randn(acquisition.shape, generator=generator), mask)
    noise *= signal.std() / noise.std() / acquisition.snr**0.5
    table = pd.DataFrame(
        {
            "particle_id": [f"{name}-{i:05d}" for i in range(particles)],
            "label": labels,
            "tomogram": name,
            **dict(zip("zyx", (centres * acquisition.voxel_size_a).T, strict=True)),
            **dict(zip(("qw", "qx", "qy", "qz"), quaternions.double().numpy().T, strict=True)),
            "group": name,
        }
    )
    return SimulatedTomogram((signal + noise).numpy().astype(np.float32), table)


def _support_radius(template: Volume) -> float:
    """Radius in voxels, about the centre, that holds all but the faint rim of a map."""
    bright = np.argwhere(template > 0.1 * template.max())
    return float(np.linalg.norm(bright - np.array(template.shape) // 2, axis=1).max())


def _place(
    radii: list[float], shape: tuple[int, int, int], generator: torch.Generator
) -> NDArray[np.float64]:
    """Draw whole-voxel centres `(n, 3)` zyx of spheres that overlap no other and no face."""
    placed = np.empty((0, 3))
    limits = np.array(shape, dtype=np.float64)
    for count, radius in enumerate(radii):
        spread = limits - 2 * radius
        if (spread < 1).any():
            raise DataError(f"simulate: a particle of radius {radius:.0f} does not fit in {shape}")
        draws = torch.rand(_PLACEMENT_TRIES, 3, generator=generator).numpy()
        candidates = np.floor(radius + draws * spread)
        distance = np.linalg.norm(candidates[:, None] - placed[None], axis=2)
        free = (distance >= radius + np.array(radii[:count])).all(axis=1)
        if not free.any():
            raise DataError(
                f"simulate: only {count} of {len(radii)} particles fit in {shape} voxels "
                "without overlap; ask for fewer `particles` or a larger `shape`"
            )
        placed = np.vstack((placed, candidates[free.argmax()]))
    return placed


def _add(volume: torch.Tensor, posed: torch.Tensor, centre: NDArray[Any]) -> None:
    """Add a posed map `(b, b, b)` to the volume with its voxel b//2 at `centre`, cut at faces."""
    starts = [int(c) - size // 2 for c, size in zip(centre, posed.shape, strict=True)]
    inner, outer = [], []
    for start, size, limit in zip(starts, posed.shape, volume.shape, strict=True):
        low, high = max(start, 0), min(start + size, limit)
        outer.append(slice(low, high))
        inner.append(slice(low - start, high - start))
    volume[tuple(outer)] += posed[tuple(inner)]
