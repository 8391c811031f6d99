"""Pose: the angle between predicted and true orientations, up to one frame per class and symmetry.

A model that is never shown an orientation chooses each class's upright itself, so its poses
differ from the true ones by one rotation per class. And a particle of symmetry S looks the same
turned by any of S. With truth T and prediction P, both turning the reference into the particle,
`P = T s F` for the class's frame F and an s in S.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from latentlaw.errors import DataError

Poses = NDArray[np.floating[Any]]
_CANDIDATES = 256  # pairs that a frame is sought among
_ROUNDS = 5
_NEAR = 2.0  # medians from the frame: beyond, a pair is an outlier


def symmetry_group(name: str) -> Rotation:
    """Return the rotations of a point group in Schoenflies notation: C1, C2, …, D7, T, O, I.

    Axes are those of RELION: the main one is z.

    Raises
    ------
    DataError
        If there is no such group.
    """
    if not re.fullmatch(r"[CD][1-9]\d{0,2}|[TOI]", name):
        raise DataError(f"symmetry: found {name!r}, expected Cn or Dn (C1, C7, D2), or T, O or I")
    return Rotation.create_group(name)


def as_rotations(poses: Poses) -> Rotation:
    """Convert quaternions `(n, 4)`, scalar first, or cosines and sines `(n, 2)` to rotations.

    Raises
    ------
    DataError
        If poses have another number of columns, or some are not finite.
    """
    columns = poses.shape[1] if poses.ndim == 2 else None
    if columns not in (2, 4) or not np.isfinite(poses).all():
        raise DataError(
            f"pose: found shape {poses.shape}, {int((~np.isfinite(poses)).sum())} values not "
            "finite; expected finite (n, 4) quaternions or (n, 2) cosines and sines"
        )
    if columns == 4:
        return Rotation.from_quat(poses, scalar_first=True)
    return Rotation.from_rotvec(np.arctan2(poses[:, 1], poses[:, 0])[:, None] * [0, 0, 1])


def fit_frame(predicted: Rotation, truth: Rotation, symmetry: Rotation) -> Rotation:
    """Return the frame F that makes `truth s F` come nearest to `predicted`, outliers aside.

    Each pair proposes the frame that explains it. From the proposal with the smallest median
    error, the chordal mean (Wahba's problem, Markley 1988) of the pairs within two medians is
    taken again and again, so that nearly half of the pairs may be wrong.
    """
    proposals = truth.inv() * predicted
    spread = np.linspace(0, len(proposals) - 1, min(len(proposals), _CANDIDATES)).astype(int)
    medians = [np.median(_misfit(proposals, proposals[i], symmetry)[0]) for i in spread]
    frame = proposals[spread[int(np.argmin(medians))]]
    for _ in range(_ROUNDS):
        angles, nearest = _misfit(proposals, frame, symmetry)
        near = angles <= _NEAR * np.median(angles) + 1e-6
        frame = (symmetry[nearest[near]].inv() * proposals[near]).mean()
    return frame


def pose_errors(
    predicted: Rotation, truth: Rotation, frame: Rotation, symmetry: Rotation
) -> NDArray[np.float64]:
    """Angles in degrees `(n,)` between predictions and truth, the nearest symmetric copy."""
    return _misfit(truth.inv() * predicted, frame, symmetry)[0]


def pose_errors_by_class(
    predicted: Poses,
    truth: Poses,
    labels: NDArray[np.str_],
    symmetries: Mapping[str, str] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Angles in degrees of each class's particles, in the class's own frame.

    A frame has three degrees of freedom and is fitted to the particles it is measured on, so a
    class wants tens of particles: of a class of one the error is 0.

    Parameters
    ----------
    predicted, truth
        Quaternions `(n, 4)`, scalar first, or cosines and sines `(n, 2)`.
    labels
        Class of each, `(n,)`.
    symmetries
        Names of point groups by class; C1 where there is none.
    """
    found, true = as_rotations(predicted), as_rotations(truth)
    errors = {}
    for name in np.unique(labels):
        group = symmetry_group((symmetries or {}).get(str(name), "C1"))
        rows = np.flatnonzero(labels == name)
        frame = fit_frame(found[rows], true[rows], group)
        errors[str(name)] = pose_errors(found[rows], true[rows], frame, group)
    return errors


def _misfit(
    proposals: Rotation, frame: Rotation, symmetry: Rotation
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Angles in degrees from `s F`, and the s that is nearest, of each proposal."""
    copies = (symmetry * frame).as_quat()
    overlap = np.abs(proposals.as_quat() @ copies.T)  # (n, copies)
    nearest = overlap.argmax(axis=1)
    # Of a small angle the cosine is all rounding; scipy's magnitude takes the sine too.
    apart = Rotation.from_quat(copies[nearest]).inv() * proposals
    return np.degrees(apart.magnitude()), nearest
