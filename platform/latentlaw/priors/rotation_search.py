"""Best overlap of two shapes over all rotations, by fast rotational matching."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from latentlaw.priors.shells import Coefficients, degree_slices

Angles = NDArray[np.float64]
_STARTS = 4  # best points of the grid to climb from


def best_overlap(first: Coefficients, second: Coefficients) -> float:
    """Return the largest real overlap `<first, R second>` over rotations R.

    With Wigner's `d(beta)` written as a Fourier series, the overlap is a trigonometric
    polynomial in the three Euler angles, so one FFT gives it on the whole of SO(3) (Kovacs and
    Wriggers 2002, Acta Cryst. D58, 1282). From the best points of that grid it climbs to the
    maximum.

    Parameters
    ----------
    first, second
        Spherical-harmonic coefficients `(shells, degrees^2)`; weights of shells are in them.
    """
    series = _series(first, second)
    orders = np.arange(len(series)) - len(series) // 2
    size = len(series) + 1
    spectrum = np.zeros((size,) * 3, dtype=np.complex128)
    spectrum[np.ix_(orders, orders, orders)] = series
    grid = np.fft.ifftn(spectrum, norm="forward").real
    starts = np.argpartition(grid, -_STARTS, axis=None)[-_STARTS:]
    peaks = []
    for start in starts:
        angles = 2 * np.pi * np.array(np.unravel_index(start, grid.shape)) / size
        climbed = minimize(
            _negative_overlap, angles, (series, orders), jac=True, method="BFGS", tol=1e-6
        )
        peaks.append(-float(climbed.fun))
    return max(peaks)


def _series(first: Coefficients, second: Coefficients) -> Coefficients:
    """Fourier coefficients of the overlap in the three angles, `(m, k, n)`, each -l … l."""
    degrees = round(first.shape[1] ** 0.5)
    size = 2 * degrees - 1
    series = np.zeros((size,) * 3, dtype=np.complex128)
    for degree, chosen in enumerate(degree_slices(degrees)):
        cross = first[:, chosen].conj().T @ second[:, chosen]  # (m, n)
        axes = _y_rotation_axes(degree)  # (m, k)
        low, high = degrees - 1 - degree, degrees + degree
        series[low:high, low:high, low:high] += (
            cross[:, None, :] * axes[:, :, None] * axes.conj().T[None]
        )
    return series


@cache
def _y_rotation_axes(degree: int) -> Coefficients:
    """Eigenvectors `U` `(m, k)` of J_y: `d(beta) = U diag(exp(-i k beta)) U^H`."""
    orders = np.arange(-degree, degree)
    raising = np.diag((degree * (degree + 1) - orders * (orders + 1.0)) ** 0.5, k=-1)
    axes: Coefficients = np.linalg.eigh((raising - raising.T) / 2j)[1]
    return axes


def _negative_overlap(
    angles: Angles, series: Coefficients, orders: NDArray[np.int64]
) -> tuple[float, Angles]:
    """Minus the overlap at three angles, and its gradient."""
    a, b, c = (np.exp(1j * angle * orders) for angle in angles)
    over_c = series @ c  # (m, k)
    over_bc = over_c @ b
    value = a @ over_bc
    gradient = (
        (1j * orders * a) @ over_bc,
        a @ (over_c @ (1j * orders * b)),
        a @ ((series @ (1j * orders * c)) @ b),
    )
    return -float(value.real), -np.array(gradient).real
