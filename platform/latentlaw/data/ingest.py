"""Ingest: tomogram files become tomogram stores, one Dask task a shard."""

import glob
import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from latentlaw.data.mrc import open_mrc
from latentlaw.data.output import new_output
from latentlaw.data.progress import Progress, silent
from latentlaw.data.scheduler import TaskRunner, open_scheduler
from latentlaw.data.tomograms import create_store, mark_complete, mean_by_two, shard_regions
from latentlaw.errors import ConfigError, DataError

MRC_SUFFIXES = (".mrc", ".rec", ".map", ".st")
TIFF_SUFFIXES = (".tif", ".tiff")
_ANGSTROM_PER_UNIT = {"nm": 10.0, "um": 1e4, "micron": 1e4, "µm": 1e4, "\\u00B5m": 1e4}
_SPILLED = "source.npy"
Region = tuple[slice, ...]


@dataclass(frozen=True)
class _ShardTask:
    """One shard to write: of level 0 from a file, of others from the level before."""

    source: Path
    voxel_size_a: float
    store: Path
    level: int
    region: Region


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
    if chunk < 1 or shard % chunk:
        raise ConfigError(f"shard {shard} is not a multiple of chunk {chunk}")
    files = find_tomograms(source)
    stores = [Path(out) / f"{store_name(path)}.ome.zarr" for path in files]
    if len(set(stores)) < len(stores):
        raise DataError(f"{source}: two tomograms would both become {_first_twice(stores)}")
    for store in stores:
        if store.exists() and not overwrite:
            raise ConfigError(f"{store}: exists already; pass overwrite=true or another `out`")
    _check_sources(files, voxel_size_a)
    with open_scheduler(scheduler) as tasks:
        for path, store in zip(files, stores, strict=True):
            data, size = open_source(path, voxel_size_a)
            with new_output(store, overwrite=overwrite) as partial:
                arrays = create_store(
                    partial, data.shape, data.dtype, chunk=chunk, shard=shard, levels=levels
                )
                mapped = _mappable(path, data, partial)
                del data
                _write_levels(mapped, size, partial, arrays, tasks, progress)
                (partial / _SPILLED).unlink(missing_ok=True)
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
        candidates = sorted(map(Path, glob.glob(str(source))))
    found = [p for p in candidates if _kind(p) in (*MRC_SUFFIXES, *TIFF_SUFFIXES)]
    if not found:
        raise DataError(
            f"{source}: no tomogram found; expected files ending in "
            f"{', '.join((*MRC_SUFFIXES, *TIFF_SUFFIXES))} (MRC also .gz, .bz2)"
        )
    return found


def store_name(path: Path) -> str:
    """Return the file's name without its endings."""
    return (
        path.name[: -len(path.suffix)]
        if path.suffix not in (".gz", ".bz2")
        else Path(path.stem).stem
    )


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


def _check_sources(files: list[Path], voxel_size_a: float | None) -> None:
    """Open every file once, before anything is written; name all that are bad."""
    problems = []
    for path in files:
        try:
            open_source(path, voxel_size_a)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))


def _mappable(path: Path, data: NDArray[Any], store: Path) -> Path:
    """Return a file whose voxels can be mapped: what had to be unpacked is unpacked only once."""
    if isinstance(data, np.memmap):
        return path.resolve()
    spilled = store / _SPILLED
    np.save(spilled, data)
    return spilled.resolve()


def _write_levels(
    source: Path,
    voxel_size_a: float,
    store: Path,
    arrays: list[zarr.Array[Any]],
    tasks: TaskRunner,
    progress: Progress,
) -> None:
    regions = [list(shard_regions(array).values()) for array in arrays]
    total, done, root = sum(map(len, regions)), 0, store.resolve()
    for level, level_regions in enumerate(regions):
        shards = (_ShardTask(source, voxel_size_a, root, level, part) for part in level_regions)
        for _ in tasks.map(_write_shard, shards):
            done += 1
            progress(done, total, f"ingest {store.name.split('.ome.zarr')[0].lstrip('.')}")


def _write_shard(task: _ShardTask) -> None:
    """Write one whole shard, which no other task touches."""
    # Empty chunks are written too, so that one that is missing is known to be lost. The option
    # `config` of open_array does not do this.
    stored = zarr.open_array(task.store / f"s{task.level}", mode="r+")
    target = stored.with_config({"write_empty_chunks": True})
    if task.level:
        finer = zarr.open_array(task.store / f"s{task.level - 1}", mode="r")
        target[task.region] = _halve(finer, task.region)
    elif task.source.name == _SPILLED:
        target[task.region] = np.load(task.source, mmap_mode="r")[task.region]
    else:
        data, _ = open_source(task.source, task.voxel_size_a)
        target[task.region] = np.asarray(data[task.region])


def _halve(finer: zarr.Array[Any], region: Region) -> NDArray[np.float32]:
    """Compute a region of the next level from the finer, a chunk in memory at a time."""
    halved = np.empty([s.stop - s.start for s in region], np.float32)
    edges = [chunk + chunk % 2 for chunk in finer.chunks]
    spans = [
        range(2 * s.start, min(2 * s.stop, size), edge)
        for s, size, edge in zip(region, finer.shape, edges, strict=True)
    ]
    for corner in itertools.product(*spans):
        wanted = tuple(
            slice(low, min(low + edge, 2 * s.stop))
            for low, edge, s in zip(corner, edges, region, strict=True)
        )
        block = mean_by_two(np.asarray(finer[wanted]))
        starts = [low // 2 - s.start for low, s in zip(corner, region, strict=True)]
        inner = (slice(low, low + n) for low, n in zip(starts, block.shape, strict=True))
        halved[tuple(inner)] = block
    return halved


def _kind(path: Path) -> str:
    name = Path(path.stem) if path.suffix in (".gz", ".bz2") else path
    return name.suffix.lower()


def _first_twice(paths: list[Path]) -> Path:
    return next(path for i, path in enumerate(paths) if path in paths[:i])


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
