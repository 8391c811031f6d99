"""RELION's Euler angles and quaternions.

RELION's `rot, tilt, psi` are intrinsic ZYZ angles of the rotation that brings the particle onto
the reference; our quaternion, scalar first, is its inverse, the matrix A of RELION's
`Euler_angles2matrix`, which turns the reference into the particle.

A particle of RELION 4 and 5 may have two orientations: `rlnTomoSubtomogram*` of its subtomogram
in the tomogram, and `rlnAngle*` of the particle in its subtomogram. The whole is
`A_subtomogram A_particle`, and origin shifts are in the subtomogram's frame: the position is
`coordinate - A_subtomogram origin` (`ParticleSet::getMatrix3x3` and `getPosition` in
src/jaz/tomography/particle_set.cpp of RELION 5).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def euler_to_quaternion(angles_deg: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert RELION `rot, tilt, psi` `(n, 3)`, degrees, to quaternions `(n, 4)`, scalar first.

    Examples
    --------
    >>> euler_to_quaternion(np.array([[90.0, 0.0, 0.0]])).round(3) + 0.0
    array([[ 0.707,  0.   ,  0.   , -0.707]])
    """
    turned = Rotation.from_euler("ZYZ", angles_deg, degrees=True).inv()
    return np.asarray(turned.as_quat(scalar_first=True))


def quaternion_to_euler(quaternions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert quaternions `(n, 4)`, scalar first, to RELION angles `(n, 3)` in degrees."""
    turned = Rotation.from_quat(quaternions, scalar_first=True).inv()
    return np.asarray(turned.as_euler("ZYZ", degrees=True, suppress_warnings=True))


def compose(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Multiply quaternions `(n, 4)`: the rotation `second`, then `first`."""
    product = _rotation(first) * _rotation(second)
    return np.asarray(product.as_quat(scalar_first=True))


def relative(
    frame: NDArray[np.floating[Any]], whole: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the quaternions `(n, 4)` that compose with `frame` to `whole`."""
    return np.asarray((_rotation(frame).inv() * _rotation(whole)).as_quat(scalar_first=True))


def rotate_xyz(
    quaternions: NDArray[np.floating[Any]], vectors: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Rotate vectors `(n, 3)`, x first, each by its quaternion `(n, 4)`."""
    return np.asarray(_rotation(quaternions).apply(vectors))


def _rotation(quaternions: NDArray[np.floating[Any]]) -> Rotation:
    return Rotation.from_quat(quaternions, scalar_first=True)
