"""What of a map's shells is compared: power, density or Fourier shells, each of unit norm."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import spherical_jn

from latentlaw.priors.shells import Coefficients, Shells, degree_slices


def power_spectrum(coefficients: Coefficients, shells: Shells) -> NDArray[np.float64]:
    """Return the power of each shell and degree, `(shells * degrees,)`.

    `sqrt(sum_m |c_lm|^2)` does not change under rotation (Kazhdan et al. 2003). A shell counts by
    its area.

    Parameters
    ----------
    coefficients
        Of spherical harmonics, `(shells, degrees^2)`, as `expand` returns.
    shells
        Radii in angstrom, and degrees, that the coefficients are of.
    """
    powers = [
        np.linalg.norm(coefficients[:, orders], axis=1) for orders in degree_slices(shells.degrees)
    ]
    weighted = (np.stack(powers, axis=1) * shells.radii_a[:, None]).ravel()
    unit: NDArray[np.float64] = weighted / np.linalg.norm(weighted)
    return unit


def real_space(coefficients: Coefficients, shells: Shells) -> Coefficients:
    """Return weighted coefficients whose overlap is the correlation of two densities.

    The mean over the ball that the shells fill is taken out, as a correlation coefficient asks;
    else two maps would be alike for the solvent that both do not show.

    Parameters
    ----------
    coefficients
        `(shells, degrees^2)`, as `expand` returns; the result has this shape.
    shells
        Radii in angstrom, and degrees, that the coefficients are of.
    """
    volumes = shells.radii_a**2
    fluctuations = coefficients.copy()
    fluctuations[:, 0] -= volumes @ coefficients[:, 0] / volumes.sum()
    weighted = fluctuations * shells.radii_a[:, None]
    unit: Coefficients = weighted / np.linalg.norm(weighted)
    return unit


def fourier_shells(coefficients: Coefficients, shells: Shells) -> Coefficients:
    """Return weighted coefficients whose overlap is the mean Fourier shell correlation.

    The Fourier transform of `c_lm(r)` at frequency s is `4 pi (-i)^l` times its spherical Bessel
    transform; the factor is the same in both maps, and so left out. Shells run to the resolution,
    twice as fine as the ball can tell apart, and count alike.

    Parameters
    ----------
    coefficients
        `(shells, degrees^2)`, as `expand` returns.
    shells
        Radii in angstrom, and degrees, that the coefficients are of.

    Returns
    -------
    ndarray
        `(frequencies, degrees^2)`.
    """
    diameter = 2 * shells.radii_a[-1]
    count = int(np.ceil(2 * diameter / shells.resolution_a))
    frequencies = np.arange(0.5, count) / count / shells.resolution_a
    phases = 2 * np.pi * frequencies[:, None] * shells.radii_a  # (frequencies, shells)
    transformed = np.concatenate(
        [
            (spherical_jn(degree, phases) * shells.radii_a**2) @ coefficients[:, orders]
            for degree, orders in enumerate(degree_slices(shells.degrees))
        ],
        axis=1,
    )
    norms = np.linalg.norm(transformed, axis=1, keepdims=True)
    unit: Coefficients = transformed / np.maximum(norms, 1e-12) / count**0.5
    return unit
