"""Templates of a simulation: phantoms, density maps or atomic models, at one voxel size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from latentlaw.data.formats.mrc import read_map
from latentlaw.data.formats.structures import STRUCTURE_SUFFIXES, read_structure, structure_map
from latentlaw.data.formats.voxel_sizes import SAME_SIZE
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.data.simulation.rendering import Volume
from latentlaw.errors import ConfigError, DataError, nearest_hint

T = TypeVar("T")
_MAPS = tuple(kind + packed for kind in (".mrc", ".map") for packed in ("", ".gz", ".bz2"))
_MODELS = tuple(kind + packed for kind in STRUCTURE_SUFFIXES for packed in ("", ".gz"))
_BRIGHT = 0.1  # of the peak: what counts as the molecule
_FEWEST = 8  # bright voxels of the smallest template; a smaller one comes of a wrong voxel size


def phantom_templates(box: int, voxel_size_a: float) -> dict[str, Volume]:
    """Return the map `(box, box, box)` of every phantom by name."""
    return {name: phantom_map(make(), box, voxel_size_a) for name, make in PHANTOMS.items()}


def read_templates(
    folder: str | Path, *, voxel_size_a: float, classes: Sequence[str] = ()
) -> dict[str, Volume]:
    """Read a density map of each class, named by its file up to the first `.`.

    Density maps come in any unit, so each is scaled to a mean of 1 where it exceeds a tenth of
    its peak: proteins are about equally dense.

    Parameters
    ----------
    folder
        Files of maps (`.mrc .map`) or atomic models (`.pdb .ent .cif`), also `.gz`. A map whose
        header gives another voxel size is resampled; one whose header gives none is taken to be
        at `voxel_size_a`. A model becomes a map of twice the voxel size's resolution.
    voxel_size_a
        Edge in angstrom of a voxel of what is returned.
    classes
        Names to take; all if empty.

    Returns
    -------
    dict
        Maps `(z, y, x)`, of boxes that may differ, protein bright.

    Raises
    ------
    DataError
        If there is no template, two of one name, or one holds no molecule.
    ConfigError
        If there is no template of a class asked for.
    """
    paths = template_paths(folder)
    chosen = select_classes(paths, classes, str(folder))
    return {name: _scaled(path, _read(path, voxel_size_a)) for name, path in chosen.items()}


def select_classes(found: Mapping[str, T], classes: Sequence[str], source: str) -> dict[str, T]:
    """Keep the templates of these names; all if there is none.

    Raises
    ------
    ConfigError
        If `source` has no template of a name.
    """
    for name in classes:
        if name not in found:
            raise ConfigError(
                f"classes: found no template {name!r} in {source}{nearest_hint(name, found)}, "
                f"expected one of {', '.join(found)}"
            )
    return {name: found[name] for name in classes or found}


def template_paths(folder: str | Path) -> dict[str, Path]:
    """Return the maps and atomic models of a folder by class, the file's name up to its first `.`.

    Raises
    ------
    DataError
        If there is none, or two are of one class.
    """
    paths: dict[str, Path] = {}
    for path in sorted(Path(folder).glob("[!.]*")):
        if not path.name.lower().endswith(_MAPS + _MODELS) or not path.is_file():
            continue
        name = path.name.split(".")[0]
        if name in paths:
            raise DataError(
                f"{path}: found {paths[name].name} of class {name!r} too, expected one file per "
                "class; move one of them away"
            )
        paths[name] = path
    if not paths:
        raise DataError(
            f"{folder}: found no template, expected a folder of files {', '.join(_MAPS + _MODELS)}"
        )
    return paths


def is_model(path: Path) -> bool:
    """Tell an atomic model from a density map by the file's ending."""
    return path.name.lower().endswith(_MODELS)


def _read(path: Path, voxel_size_a: float) -> NDArray[np.floating[Any]]:
    if is_model(path):
        return structure_map(read_structure(path), voxel_size_a=voxel_size_a)
    data, size = read_map(path)
    if data.ndim != 3:
        raise DataError(f"{path}: found shape {data.shape}, expected a density map (z, y, x)")
    density = np.asarray(data, dtype=np.float64)
    if size is None or abs(size - voxel_size_a) <= SAME_SIZE * voxel_size_a:
        return density
    return resample(density, voxel_size_a / size)


def resample(density: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Sample a map `(z, y, x)` at voxels `factor` times as large, about voxel n//2.

    Cubic splines; where voxels grow, a Gaussian of `(factor - 1) / 2` voxels first takes out
    what the larger ones cannot hold (as scikit-image does). Boxes become even.
    """
    if factor > 1:
        density = gaussian_filter(density, (factor - 1) / 2, mode="constant")
    halves = [int(np.ceil(size / factor / 2)) for size in density.shape]
    centre = np.array(density.shape) // 2
    sampled: NDArray[np.float64] = affine_transform(
        density,
        np.full(3, factor),
        offset=centre - factor * np.array(halves),
        output_shape=tuple(2 * half for half in halves),
        order=3,
    )
    return sampled


def _scaled(path: Path, density: NDArray[np.floating[Any]]) -> Volume:
    peak = density.max() if np.isfinite(density).all() else np.nan
    bright = density > _BRIGHT * peak
    if not peak > 0 or bright.sum() < _FEWEST:
        raise DataError(
            f"{path}: found peak {peak:g}, {bright.sum()} bright voxels of {density.shape}, "
            f"expected a molecule of at least {_FEWEST}, protein bright; is its voxel size right?"
        )
    return np.asarray(density / density[bright].mean(), dtype=np.float32)
