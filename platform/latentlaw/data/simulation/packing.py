"""Random places without overlap: random sequential addition of spheres, the largest first."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from latentlaw.errors import DataError

_BATCH, _BATCHES = 32, 64  # candidates tried at once, and how often, before a place is given up


def place_spheres(
    radii: NDArray[np.float64], shape: tuple[int, int, int], generator: torch.Generator
) -> NDArray[np.float64]:
    """Draw centres of spheres that overlap no other and cross no face.

    Parameters
    ----------
    radii
        Voxels, `(n,)`.
    shape
        Volume to fill, voxels `(z, y, x)`.
    generator
        Source of the places.

    Returns
    -------
    ndarray
        Whole-voxel centres `(n, 3)`, zyx.

    Raises
    ------
    DataError
        If a sphere is larger than the volume, or no free place is found for one.
    """
    centres = np.empty((len(radii), 3))
    # Small spheres still find room between large ones, but not the other way round.
    order = np.argsort(-radii, kind="stable")
    for count, index in enumerate(order):
        placed = order[:count]
        free = _free_place(radii[index], centres[placed], radii[placed], shape, generator)
        if free is None:
            raise DataError(
                f"simulate: found room for {count} of {len(radii)} particles, the largest first, "
                f"in {shape} voxels; ask for fewer `particles` or a larger `shape`"
            )
        centres[index] = free
    return centres


def _free_place(
    radius: float,
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    shape: tuple[int, int, int],
    generator: torch.Generator,
) -> NDArray[np.float64] | None:
    """Return the first of many random places that clears all spheres, or None."""
    low = np.ceil(radius)
    places = np.array(shape) - 2 * low  # whole voxels per axis on which a centre may lie
    if (places < 1).any():
        raise DataError(
            f"simulate: found no room for a particle of radius {radius:.1f} voxels in {shape}; "
            "ask for a larger `shape`"
        )
    for _ in range(_BATCHES):
        draws = torch.rand(_BATCH, 3, dtype=torch.float64, generator=generator).numpy()
        candidates = low + np.floor(draws * places)
        clear = (cdist(candidates, centres) >= radius + radii).all(axis=1)
        if clear.any():
            return np.asarray(candidates[clear.argmax()])
    return None
