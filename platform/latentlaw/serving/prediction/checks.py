"""Whether a model fits the particles that it is to answer for."""

from collections.abc import Mapping
from pathlib import Path

from latentlaw.data.formats.voxel_sizes import SAME_SIZE
from latentlaw.data.tomograms.names import common_voxel_size
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.errors import DataError
from latentlaw.models.config import ModelConfig


def check_shape(config: ModelConfig, shape: tuple[int, ...], source: str | Path) -> None:
    """Refuse images `(c, [z,] y, x)` of another shape than the model's.

    Raises
    ------
    DataError
        Naming both.
    """
    if tuple(shape) != tuple(config.image_shape):
        box = f" with box={config.image_shape[-1]}" if config.dims == len("zyx") else ""
        raise DataError(
            f"{source}: found particles of shape {tuple(shape)}, expected the model's "
            f"{tuple(config.image_shape)}; extract them again{box}, or give a model of them"
        )


def box_of(config: ModelConfig, source: str | Path) -> int:
    """Return the edge in voxels of the cubic boxes that the model takes.

    Raises
    ------
    DataError
        If it takes others, which cannot be cut out of a tomogram.
    """
    box = config.image_shape[-1]
    if config.image_shape != (1, box, box, box) or box % 2:
        raise DataError(
            f"{source}: found tomograms, which are cut into boxes (1, n, n, n) of an even n, "
            f"expected the model's {config.image_shape}; give a particle stack instead"
        )
    return box


def check_voxel_size(
    config: ModelConfig, voxel_size_a: float | None, source: str | Path
) -> tuple[str, ...]:
    """Refuse particles at another voxel size than those that the model was trained on.

    Returns
    -------
    tuple
        A sentence that says so where one of the two is not known.

    Raises
    ------
    DataError
        If they differ by more than 1 %.
    """
    wanted = config.voxel_size_a
    if wanted is None or voxel_size_a is None:
        if config.dims == len("yx") and wanted is None:
            return ()
        what = "the model's training data" if wanted is None else str(source)
        return (f"the voxel size of {what} is not known, so that it was not compared",)
    if abs(voxel_size_a - wanted) > SAME_SIZE * wanted:
        raise DataError(
            f"{source}: found {voxel_size_a:g} angstrom per voxel, expected the {wanted:g} of the "
            "model's training data; bin or resample the tomograms, or train a model on these"
        )
    return ()


def check_stores(
    config: ModelConfig, stores: Mapping[str, Tomogram], source: str | Path
) -> tuple[str, ...]:
    """Check the voxel size of tomograms as `check_voxel_size` does; they must share one."""
    return check_voxel_size(config, common_voxel_size(stores), source)
