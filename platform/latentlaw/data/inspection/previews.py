"""Pictures of data as grey uint8 images: a tomogram's central slices, a stack's particles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.inspection.slices import PLANES, tomogram_volume
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.tomograms.store import Tomogram

Image = NDArray[np.uint8]
_GAP = 2
_CONTRAST = (1, 99)
_SLAB = 3  # planes averaged, since one plane of a tomogram is mostly noise


def orthogonal_slices(tomogram: Tomogram) -> Image:
    """Show the central xy slice with yz on its right and xz below, three planes averaged each.

    Of the pyramid, the finest level is taken that is not larger than 512 voxels along an edge.

    Returns
    -------
    ndarray
        Grey `(y + gap + z, x + gap + z)`, white where nothing is.
    """
    volume = tomogram_volume(tomogram)
    shape = volume.shape
    xy, xz, yz = (
        volume.slab(plane, volume.place(shape[axis] // 2), planes=_SLAB)
        for axis, plane in enumerate(PLANES)
    )
    canvas = np.full((shape[1] + _GAP + shape[0], shape[2] + _GAP + shape[0]), 255, np.uint8)
    low, high = np.percentile(xy, _CONTRAST)
    canvas[: shape[1], : shape[2]] = to_grey(xy, low, high)
    canvas[: shape[1], shape[2] + _GAP :] = to_grey(yz, low, high)
    canvas[shape[1] + _GAP :, : shape[2]] = to_grey(xz, low, high)
    return canvas


def orthogonal_planes(image: NDArray[Any]) -> dict[str, Image]:
    """Return the central planes of the first channel of `(c, [z,] y, x)`, by their names.

    A volume has `xy`, `xz` and `yz` (vertical axes y, z and y, as in `orthogonal_slices`), an
    image `xy` alone; all are scaled to one 1st to 99th percentile, and enlarged to some 200.
    """
    values = np.asarray(image[0], dtype=np.float64)
    z, y, x = (size // 2 for size in values.shape[-3:]) if values.ndim == 3 else (0, 0, 0)
    planes = (
        {"xy": values}
        if values.ndim == 2
        else {"xy": values[z], "xz": values[:, y], "yz": values[:, :, x].T}
    )
    low, high = np.percentile(values, _CONTRAST)
    zoom = max(1, 200 // max(values.shape))
    return {
        name: to_grey(plane, low, high).repeat(zoom, axis=0).repeat(zoom, axis=1)
        for name, plane in planes.items()
    }


def particle_gallery(stack: ParticleStack, *, columns: int = 8, rows: int = 4) -> Image:
    """Show central z slices of particles evenly spread over a stack, sorted by class.

    Returns
    -------
    ndarray
        Grey `(y, x)`, as `gallery` lays out.
    """
    order = np.argsort(stack.table["label"].fillna("").to_numpy(dtype=str), kind="stable")
    count = min(columns * rows, len(stack))
    chosen = order[np.linspace(0, len(order) - 1, count).round().astype(int)]
    return gallery(stack.read(chosen), columns=columns)


def gallery(images: NDArray[Any], *, columns: int = 8) -> Image:
    """Lay the central z slices of images `(n, c, [z,] y, x)`, n > 0, out in rows."""
    slices = [central_slice(image) for image in images]
    return tile_rows([slices[i : i + columns] for i in range(0, len(slices), columns)])


def central_slice(image: NDArray[Any]) -> NDArray[Any]:
    """Return the first channel's central z slice `(y, x)` of `(c, [z,] y, x)`."""
    return np.asarray(image[0] if image.ndim == 3 else image[0, image.shape[1] // 2])


def tile_rows(rows: list[list[NDArray[Any]]]) -> Image:
    """Lay slices `(y, x)` of one shape out in rows, each row scaled to its 1st to 99th percentile.

    A row of fewer slices than the first ends in white.
    """
    lines = []
    for row in rows:
        low, high = np.percentile(np.stack(row), _CONTRAST)
        cells = [np.pad(to_grey(cell, low, high), _GAP, constant_values=255) for cell in row]
        cells += [np.full_like(cells[0], 255)] * (len(rows[0]) - len(row))
        lines.append(np.concatenate(cells, axis=1))
    zoom = max(1, 96 // max(rows[0][0].shape))
    return np.asarray(np.concatenate(lines).repeat(zoom, axis=0).repeat(zoom, axis=1), np.uint8)


def to_grey(values: NDArray[Any], low: float, high: float) -> Image:
    """Scale values of any shape so that `low` is 0 and `high` 255; what is beyond is clipped."""
    span = max(float(high - low), 1e-9)
    return np.asarray(np.clip((values - low) / span, 0, 1) * 255, dtype=np.uint8)
