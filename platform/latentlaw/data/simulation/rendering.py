"""Posed density maps, summed into a volume by cubic splines."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, spline_filter
from scipy.spatial.transform import Rotation

Volume = NDArray[np.float32]
_BRIGHT = 0.1  # of the peak: what takes up room
_VISIBLE = 1e-3  # of the peak: what is drawn
_MARGIN = 4  # voxels of nothing about a map, so that splines die off before its faces


def support_radius(template: Volume, *, level: float = _BRIGHT) -> float:
    """Radius in voxels about voxel n//2 of the sphere that holds all above `level` of the peak.

    Parameters
    ----------
    template
        Density map `(z, y, x)`.
    level
        Share of the peak, 0 to 1.
    """
    size = np.abs(template)
    bright = np.argwhere(size > level * size.max())
    distances = np.linalg.norm(bright - np.array(template.shape) // 2, axis=1)
    return float(distances.max()) + 0.5  # a voxel reaches half a voxel from its centre


def render_particles(
    particles: pd.DataFrame,
    templates: Mapping[str, Volume],
    shape: tuple[int, int, int],
    voxel_size_a: float,
) -> Volume:
    """Sum each particle's template, turned by its pose, with voxel n//2 at its place.

    Parameters
    ----------
    particles
        Rows with `label`, place `z y x` in angstrom, and pose `qw qx qy qz`.
    templates
        Density maps `(z, y, x)` by label, of any box.
    shape
        Volume to make, voxels `(z, y, x)`. What reaches over a face is cut off.
    voxel_size_a
        Edge of a voxel in angstrom, of the templates too.

    Returns
    -------
    ndarray
        Density `(z, y, x)`.
    """
    volume = np.zeros(shape, np.float32)
    splines = {label: _spline(templates[label]) for label in particles["label"].unique()}
    poses = particles[["qw", "qx", "qy", "qz"]].to_numpy(dtype=np.float64)
    matrices = Rotation.from_quat(poses, scalar_first=True).as_matrix()
    places = particles[["z", "y", "x"]].to_numpy(dtype=np.float64) / voxel_size_a
    nearest = np.rint(places).astype(int)
    rests = places - nearest
    rows = zip(particles["label"], matrices, nearest, rests, strict=True)
    for label, matrix, centre, rest in rows:
        _add(volume, splines[label].turned(matrix, rest), centre)
    return volume


@dataclass(frozen=True)
class _Spline:
    """A map's cubic spline coefficients `(z, y, x)`, cut to the sphere that holds its density."""

    coefficients: NDArray[np.float64]
    radius: int

    def turned(self, matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> Volume:
        """Turn by a matrix `(3, 3)` that acts on x y z, and shift by less than a voxel, zyx.

        Returns
        -------
        ndarray
            `(z, y, x)` with the map's centre at voxel n//2 plus the shift.
        """
        # The matrix on zyx, inverted: each output voxel looks up where its density came from.
        backward = matrix[::-1, ::-1].T
        half = self.radius + 1  # one more, for what the shift pushes out
        centre = np.array(self.coefficients.shape) // 2
        turned: Volume = affine_transform(
            self.coefficients,
            backward,
            offset=centre - backward @ (half + shift),
            output_shape=(2 * half + 1,) * 3,
            output=np.float32,
            order=3,
            prefilter=False,
        )
        return turned


def _spline(template: Volume) -> _Spline:
    """Cut a map to what is visible about voxel n//2, with a margin, and fit its spline."""
    radius = int(np.ceil(support_radius(template, level=_VISIBLE)))
    half = radius + _MARGIN
    box = np.zeros((2 * half + 1,) * 3)
    _add(box, template, np.full(3, half))
    return _Spline(spline_filter(box, order=3), radius)


def _add(
    volume: NDArray[np.floating], box: NDArray[np.floating], centre: NDArray[np.int_]
) -> None:
    """Add a box to the volume with its voxel n//2 at `centre` zyx, cut off at faces."""
    start = centre - np.array(box.shape) // 2
    low, high = np.maximum(start, 0), np.minimum(start + box.shape, volume.shape)
    if (low < high).all():
        inner = tuple(map(slice, low - start, high - start))
        volume[tuple(map(slice, low, high))] += box[inner]
