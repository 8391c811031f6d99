"""OME-Zarr 0.4 and 0.5 images that others wrote, as sources of tomograms."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from latentlaw.data.formats.voxel_sizes import SAME_SIZE, agreed_size
from latentlaw.errors import DataError

_ANGSTROM_PER_UNIT = {"angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4}
_VERSIONS = ("0.4", "0.5")


@dataclass(frozen=True)
class Multiscale:
    """The finest level of an OME-Zarr image: its array's `path`, voxels `(z, y, x)` and size."""

    path: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    voxel_size_a: float


def read_multiscale(store: Path, voxel_size_a: float | None) -> Multiscale:
    """Read where the finest level of an OME-Zarr image is, and its voxel size in angstrom.

    Parameters
    ----------
    store
        Folder of the image.
    voxel_size_a
        Edge of a voxel in angstrom, for stores that give no unit.

    Raises
    ------
    DataError
        If it is no OME-Zarr 0.4 or 0.5, its axes are not z y x (t and c of length one may
        precede them), or its scale is missing, not the same along all axes or contradicts
        `voxel_size_a`.
    """
    try:
        group = zarr.open_group(store, mode="r")
        attributes: Any = group.attrs.asdict()
        ome = attributes.get("ome", attributes)
        image = ome["multiscales"][0]
        version = str(ome.get("version", image.get("version", "0.4")))
        axes = [(axis["name"], axis.get("unit")) for axis in image["axes"]]
        dataset = image["datasets"][0]
        path = str(dataset["path"])
        if ".." in Path(path).parts or Path(path).is_absolute():
            raise ValueError(f"dataset path {path!r} leaves the store")
        array = group[path]
        scales = [
            transform["scale"]
            for part in (dataset, image)
            for transform in part.get("coordinateTransformations", [])
            if transform["type"] == "scale"
        ]
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{store}: not an OME-Zarr image ({type(error).__name__}: {error}); expected "
            "`multiscales` with axes, datasets and a scale"
        ) from error
    if version not in _VERSIONS:
        raise DataError(
            f"{store}: found OME-Zarr version {version}, expected {' or '.join(_VERSIONS)}; "
            "convert it first"
        )
    if not isinstance(array, zarr.Array) or array.dtype.kind not in "iuf":
        raise DataError(
            f"{store}: found no array of real numbers at {path}, expected one; copy it again"
        )
    if [name for name, _ in axes[-3:]] != list("zyx") or set(array.shape[:-3]) - {1}:
        raise DataError(
            f"{store}: found axes {[name for name, _ in axes]} of {array.shape}, expected z y x "
            "(and only one t and c); store the volume apart"
        )
    z, y, x = array.shape[-3:]
    size = _voxel_size(store, scales, [unit for _, unit in axes[-3:]], voxel_size_a)
    return Multiscale(path, (z, y, x), array.dtype, size)


def _voxel_size(
    store: Path, scales: list[list[float]], units: list[str | None], given: float | None
) -> float:
    known = bool(scales) and all(unit in _ANGSTROM_PER_UNIT for unit in units)
    if not known and given is None:
        raise DataError(
            f"{store}: found scale {scales or 'none'} in units {units}, expected a scale in "
            f"{', '.join(_ANGSTROM_PER_UNIT)}; pass voxel_size in angstrom"
        )
    if not known:
        return agreed_size(store, None, given)
    sizes = [
        math.prod(scale[axis - 3] for scale in scales) * _ANGSTROM_PER_UNIT[str(units[axis])]
        for axis in range(3)
    ]
    low, high = min(sizes), max(sizes)
    if not low > 0 or high - low > SAME_SIZE * low:
        raise DataError(
            f"{store}: found voxel size {sizes} angstrom (z, y, x), expected one positive size; "
            "resample it to cubic voxels"
        )
    return agreed_size(store, float(np.mean(sizes)), given)
