"""Ingest: tomogram files become tomogram stores, one Dask task a shard."""

import glob
import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from latentlaw.data.compute import Submit, task_pool
from latentlaw.data.mrc import open_mrc
from latentlaw.data.output import new_output
from latentlaw.data.progress import Progress, silent
from latentlaw.data.tomograms import create_store, mark_complete, mean_by_two
from latentlaw.errors import ConfigError, DataError

MRC_SUFFIXES = (".mrc", ".rec", ".map", ".st")
TIFF_SUFFIXES = (".tif", ".tiff")
_ANGSTROM_PER_UNIT = {"nm": 10.0, "um": 1e4, "micron": 1e4, "µm": 1e4, "\\u00B5m": 1e4}
Region = tuple[slice, ...]


def ingest(
    source: str | Path,
    out: str | Path,
    *,
    voxel_size_a: float | None = None,
    chunk: int = 128,
    shard: int = 512,
    levels: int = 3,
    scheduler: str = "local",
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Convert tomogram files to OME-Zarr stores in the folder `out`, one a file.

    Every source is checked before anything is written. A shard is written by exactly one task,
    so no voxel is lost to two writers.

    Parameters
    ----------
    source
        A file, a folder, or a glob of MRC (`.mrc .rec .map .st`, also `.gz` and `.bz2`) or TIFF
        stacks.
    voxel_size_a
        Edge of a voxel in angstrom, where the header does not say.
    chunk, shard
        Edges in voxels of what is read, and written, at once.
    levels
        Levels of the pyramid.

    Raises
    ------
    DataError
        If there is no tomogram at `source` or one is damaged.
    ConfigError
        If a store exists already and `overwrite` is false, or `shard` is no multiple of `chunk`.
    """
    if shard % chunk:
        raise ConfigError(f"shard {shard} is not a multiple of chunk {chunk}")
    files = find_tomograms(source)
    opened = [open_source(path, voxel_size_a) for path in files]
    stores = [Path(out) / f"{store_name(path)}.ome.zarr" for path in files]
    if len(set(stores)) < len(stores):
        raise DataError(f"{source}: two tomograms would both become {_first_twice(stores)}")
    for store in stores:
        if store.exists() and not overwrite:
            raise ConfigError(f"{store}: exists already; pass overwrite=true or another `out`")
    with task_pool(scheduler) as submit:
        for path, (data, size), store in zip(files, opened, stores, strict=True):
            with new_output(store, overwrite=overwrite) as partial:
                arrays = create_store(
                    partial, data.shape, data.dtype, chunk=chunk, shard=shard, levels=levels
                )
                _write_levels(path, partial, arrays, voxel_size_a, submit, progress)
                mark_complete(
                    partial,
                    name=store_name(path),
                    source=path.name,
                    digest=_digest(path),
                    voxel_size_a=size,
                )
    return stores


def find_tomograms(source: str | Path) -> list[Path]:
    """Return the tomogram files that `source`, a file, folder or glob, stands for; sorted."""
    path = Path(source)
    if path.is_dir():
        candidates = sorted(path.iterdir())
    elif path.exists():
        candidates = [path]
    else:
        candidates = sorted(map(Path, glob.glob(str(source))))  # noqa: PTH207  # absolute globs
    found = [p for p in candidates if _kind(p) in (*MRC_SUFFIXES, *TIFF_SUFFIXES)]
    if not found:
        raise DataError(
            f"{source}: no tomogram found; expected files ending in "
            f"{', '.join((*MRC_SUFFIXES, *TIFF_SUFFIXES))} (MRC also .gz, .bz2)"
        )
    return found


def store_name(path: Path) -> str:
    """Return the file's name without its endings."""
    return path.name[: -len(path.suffix)] if path.suffix not in (".gz", ".bz2") else Path(
        path.stem
    ).stem


def open_source(path: Path, voxel_size_a: float | None) -> tuple[NDArray[Any], float]:
    """Open a tomogram file as an array `(z, y, x)` with its voxel size in angstrom."""
    if _kind(path) in TIFF_SUFFIXES:
        data, size = _open_tiff(path, voxel_size_a)
    else:
        volume = open_mrc(path, voxel_size_a=voxel_size_a)
        data, size = volume.data, volume.voxel_size_a
    if data.ndim != 3 or min(data.shape) < 2:
        raise DataError(f"{path}: found shape {data.shape}, expected a volume (z, y, x)")
    return data, size


def _open_tiff(path: Path, given: float | None) -> tuple[NDArray[Any], float]:
    """Open a TIFF stack; ImageJ writes voxels per unit in its resolution tags."""
    try:
        with tifffile.TiffFile(path) as tiff:
            data = np.asarray(tiff.asarray())
            meta = tiff.imagej_metadata or {}
            tag = tiff.pages[0].tags.get("XResolution")  # type: ignore[union-attr]
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: not a readable TIFF stack ({error})") from error
    unit = _ANGSTROM_PER_UNIT.get(str(meta.get("unit")))
    if given is not None:
        return data, given
    if tag is None or unit is None or not tag.value[0]:
        raise DataError(f"{path}: the file holds no voxel size; pass voxel_size in angstrom")
    return data, unit * tag.value[1] / tag.value[0]


def _write_levels(
    path: Path,
    store: Path,
    arrays: list[zarr.Array[Any]],
    voxel_size_a: float | None,
    submit: Submit,
    progress: Progress,
) -> None:
    regions = [list(shard_regions(array)) for array in arrays]
    total, done = sum(map(len, regions)), 0
    for level, level_regions in enumerate(regions):
        tasks = ((path, store, level, region, voxel_size_a) for region in level_regions)
        for _ in submit(write_shard, tasks):
            done += 1
            progress(done, total, f"ingest {path.name}")


def write_shard(
    path: Path, store: Path, level: int, region: Region, voxel_size_a: float | None
) -> None:
    """Write one shard: of level 0 from the file, of others from the level before."""
    target = zarr.open_array(store / f"s{level}", mode="r+")
    if level == 0:
        block = np.asarray(open_source(path, voxel_size_a)[0][region])
    else:
        finer = zarr.open_array(store / f"s{level - 1}", mode="r")
        block = mean_by_two(np.asarray(finer[tuple(slice(2 * s.start, 2 * s.stop) for s in region)]))
    target[region] = block


def shard_regions(array: zarr.Array[Any]) -> list[Region]:
    """Cut an array into the regions of its shards."""
    edges = array.shards or array.chunks
    starts = itertools.product(
        *(range(0, size, edge) for size, edge in zip(array.shape, edges, strict=True))
    )
    return [
        tuple(
            slice(low, min(low + edge, size))
            for low, edge, size in zip(corner, edges, array.shape, strict=True)
        )
        for corner in starts
    ]


def _kind(path: Path) -> str:
    name = Path(path.stem) if path.suffix in (".gz", ".bz2") else path
    return name.suffix.lower()


def _first_twice(paths: list[Path]) -> Path:
    return next(path for i, path in enumerate(paths) if path in paths[:i])


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
