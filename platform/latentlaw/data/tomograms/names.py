"""Finding tomogram stores, and matching them to the names that particle files use."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from latentlaw.data.formats.voxel_sizes import SAME_SIZE
from latentlaw.data.tomograms.store import Tomogram, open_tomogram
from latentlaw.errors import DataError

_ENDINGS = (".gz", ".bz2", ".zarr", ".ome", ".mrc", ".rec", ".map", ".st", ".tif", ".tiff")
# In a folder, and where copick keeps tomograms: ExperimentRuns/RUN/VoxelSpacing10.000/NAME.zarr.
_PLACES = ("*.ome.zarr", "ExperimentRuns/*/VoxelSpacing*/*.ome.zarr", "*/VoxelSpacing*/*.ome.zarr")


def tomograms_by_name(locations: str | Path | Sequence[str | Path]) -> dict[str, Tomogram]:
    """Open a tomogram store, all in a folder or copick tree, or all of several of these.

    In a copick tree a tomogram goes by the name of its run.

    Raises
    ------
    DataError
        If there is none, or two have the same name.
    """
    several = [locations] if isinstance(locations, str | Path) else locations
    paths = [path for location in several for path in _stores(location)]
    stores = [open_tomogram(path) for path in paths]
    keys = [_run_name(path) or tomogram_key(s.name) for path, s in zip(paths, stores, strict=True)]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        same = [path for path, key in zip(paths, keys, strict=True) if key == twice[0]]
        raise DataError(
            f"{', '.join(map(str, same))}: found {len(same)} tomograms named {twice[0]!r}, "
            "expected one; pass one of them, or ingest it under another name"
        )
    return dict(zip(keys, stores, strict=True))


def tomogram_key(name: str) -> str:
    """Return a tomogram's name without folders and the endings that files of tomograms have.

    Examples
    --------
    >>> tomogram_key("tomograms/TS_01.mrc")
    'TS_01'
    """
    key = name.rstrip("/").rsplit("/", 1)[-1]
    while key.lower().endswith(_ENDINGS):
        key = key.rsplit(".", 1)[0]
    return key


def common_voxel_size(stores: Mapping[str, Tomogram]) -> float:
    """Return the edge of a voxel in angstrom that the tomograms share.

    Raises
    ------
    DataError
        If two differ by more than 1 %.
    """
    sizes = {name: tomogram.voxel_size_a for name, tomogram in stores.items()}
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[high] - sizes[low] > SAME_SIZE * sizes[low]:
        raise DataError(
            f"tomograms: found {sizes[low]:g} angstrom per voxel in {low}, {sizes[high]:g} in "
            f"{high}, expected one size; extract them apart"
        )
    return sizes[low]


def _stores(location: str | Path) -> list[str | Path]:
    text = str(location).rstrip("/")
    if text.endswith(".zarr"):
        return [text]
    folder = Path(location)
    found = {path for place in _PLACES for path in folder.glob(place)}
    if not found:
        raise DataError(f"{location}: found no tomogram store *.ome.zarr; make one with `ingest`")
    return sorted(found)


def _run_name(path: str | Path) -> str | None:
    """Return the run of a store in a copick tree, None elsewhere."""
    folder = Path(path).parent
    return folder.parent.name if folder.name.startswith("VoxelSpacing") else None
