"""Affinity of planar shapes: correlation at the best rotation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from latentlaw.errors import DataError
from latentlaw.priors.kernels import centred_affinity
from latentlaw.priors.table import AffinityTable

_ANGLES = 256


def image_affinity(names: Sequence[str], images: NDArray[Any], *, blur: float) -> AffinityTable:
    """Compute an affinity of images by correlation, the largest over turns about their centre.

    The correlation is that of the disc in the box, mean taken out; turns are about voxel n//2,
    as `rotate_images` makes them. On a polar grid a turn is a shift, so that one FFT gives all
    of them.

    Parameters
    ----------
    names
        Class names, `(classes,)`.
    images
        Samples `(samples, classes, y, x)` of the classes, square; classes are compared within a
        sample (a font, say), and the mean over samples counts.
    blur
        Standard deviation in voxels of the Gaussian that images are blurred with, so that fine
        strokes that lie side by side are alike.

    Raises
    ------
    DataError
        If images are not as many as the names, an image is constant, or there are fewer than
        three different ones.
    """
    if images.ndim != 4 or images.shape[1] != len(names) or images.shape[2] != images.shape[3]:
        raise DataError(
            f"affinity: found images {images.shape} for {len(names)} classes, expected "
            "(samples, classes, y, x) of square images"
        )
    similarities = np.mean([_best_correlations(sample, blur) for sample in images], axis=0)
    np.fill_diagonal(similarities, 1.0)  # but for rounding, it is
    return centred_affinity(tuple(names), similarities)


def _best_correlations(images: NDArray[Any], blur: float) -> NDArray[np.float64]:
    """Largest correlation over turns of each two of `(n, y, x)`, `(n, n)`."""
    blurred = gaussian_filter(images.astype(np.float64), (0, blur, blur), mode="constant")
    polar, radii = _polar(blurred)
    weights = radii / (radii.sum() * _ANGLES)  # area of each sample, as part of the disc
    fluctuations = polar - np.einsum("nra,r->n", polar, weights)[:, None, None]
    norms = np.sqrt(np.einsum("nra,r->n", fluctuations**2, weights))
    if norms.min() <= 1e-9 * max(float(norms.max()), 1e-300):
        raise DataError(
            f"affinity: found a constant image, {int(norms.argmin())} of {len(images)}; leave it "
            "out"
        )
    spectra = np.fft.rfft(fluctuations / norms[:, None, None] * weights[:, None] ** 0.5)
    rows = [
        np.fft.irfft(np.einsum("rk,nrk->nk", spectrum.conj(), spectra), _ANGLES).max(axis=1)
        for spectrum in spectra
    ]
    similarities = np.stack(rows)
    return np.asarray((similarities + similarities.T) / 2)


def _polar(images: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sample `(n, y, x)` on circles about voxel n//2: `(n, radii, angles)`, and the radii."""
    centre = images.shape[-1] // 2
    radii = np.arange(0.5, images.shape[-1] - centre - 1, 0.5)
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    places = centre + radii[:, None] * np.stack((np.sin(angles), np.cos(angles)))[:, None]
    return np.stack([map_coordinates(image, places, order=1) for image in images]), radii
