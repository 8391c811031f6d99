"""Ingest: tomogram files become tomogram stores, one Dask task per shard."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlaw.data.formats.sources import TomogramSource, find_sources, open_source
from latentlaw.data.scheduler import TaskRunner, open_scheduler
from latentlaw.data.storage.output import check_new, remove, resumable_output
from latentlaw.data.tomograms.names import tomogram_key
from latentlaw.data.tomograms.pyramid import keep_or_make_shard, shard_tasks
from latentlaw.data.tomograms.shards import unfinished_shards
from latentlaw.data.tomograms.store import create_store, mark_complete, unfinished_plan
from latentlaw.errors import ConfigError, DataError
from latentlaw.progress import Progress, silent

_SPILL = "unpacked.raw"


@dataclass(frozen=True)
class Layout:
    """How a store is cut: edges in voxels of chunks and shards, and levels of its pyramid."""

    chunk: int
    shard: int
    levels: int

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.shard % self.chunk:
            raise ConfigError(
                f"shard: found {self.shard}, expected a multiple of chunk {self.chunk}; use "
                f"shard={max(1, self.shard // max(1, self.chunk)) * max(1, self.chunk)}"
            )


@dataclass(frozen=True)
class IngestReport:
    """What became of the sources.

    Attributes
    ----------
    stores
        The stores made.
    notes
        What was unusual about a source but could be read, by its file's name.
    failures
        What was wrong with each source that is not among `stores`.
    """

    stores: list[Path] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def ingest_tomograms(
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
) -> IngestReport:
    """Convert tomograms to OME-Zarr 0.5 stores in the folder `out`, one each.

    A source that is bad is reported and the others go on. A shard is written by exactly one task,
    so no voxel is lost to two writers. An ingest that was killed goes on where it broke off when
    it is called again, and ends with the same bytes.

    Parameters
    ----------
    source
        A file, a folder, or a glob of MRC (`.mrc .rec .map .st`, also `.gz` and `.bz2`), TIFF
        stacks or OME-Zarr 0.4 and 0.5 images.
    out
        Folder of the stores.
    voxel_size_a
        Edge of a voxel in angstrom, where the file does not say.
    chunk, shard
        Edges in voxels of what is read, and written, at once.
    levels
        Levels of the pyramid.
    scheduler
        As in `open_scheduler`.
    overwrite
        Replace stores that are there.
    progress
        Called with shards done and in all, tomogram by tomogram.

    Raises
    ------
    DataError
        If there is no tomogram at `source`, or two would become one store.
    ConfigError
        If a store exists already and `overwrite` is false, another process writes it, or `shard`
        is no multiple of `chunk`.
    """
    layout = Layout(chunk, shard, levels)
    paths = find_sources(source)
    names = [tomogram_key(path.name) for path in paths]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice:
        raise DataError(
            f"{source}: found two tomograms for {twice}.ome.zarr, expected one; rename one, or "
            "ingest them to different `out`"
        )
    stores = [Path(out) / f"{name}.ome.zarr" for name in names]
    for store in stores:
        check_new(store, overwrite=overwrite)
    report = IngestReport()
    opened = _open_sources(paths, stores, voxel_size_a, report)
    if opened:
        with open_scheduler(scheduler) as tasks:
            for tomogram, store in opened:
                try:
                    with resumable_output(store, overwrite=overwrite) as partial:
                        _fill(partial, tomogram, layout, tasks, progress)
                except DataError as error:
                    report.failures.append(str(error))
                else:
                    report.stores.append(store)
    return report


def _open_sources(
    paths: list[Path], stores: list[Path], voxel_size_a: float | None, report: IngestReport
) -> list[tuple[TomogramSource, Path]]:
    """Check every source before anything is written."""
    opened = []
    for path, store in zip(paths, stores, strict=True):
        try:
            tomogram = open_source(path, voxel_size_a)
        except DataError as error:
            report.failures.append(str(error))
            continue
        opened.append((tomogram, store))
        if tomogram.notes:
            report.notes[path.name] = "; ".join(tomogram.notes)
    return opened


def _fill(
    store: Path, source: TomogramSource, layout: Layout, tasks: TaskRunner, progress: Progress
) -> None:
    """Write the shards that `store` lacks, coarser levels after finer, and mark it complete."""
    name = tomogram_key(source.path.name)
    _prepare(store, source, layout)
    voxels = source.voxels(store / _SPILL)
    levels = shard_tasks(store, voxels)
    total = sum(map(len, levels))
    sums = {}
    for level in levels:
        for task, made in zip(level, tasks.map(keep_or_make_shard, level), strict=True):
            sums[task.name] = made
            progress(len(sums), total, f"ingest {name}")
    for left in (store / _SPILL, *unfinished_shards(store)):
        left.unlink(missing_ok=True)
    mark_complete(
        store,
        name=name,
        source=source.path.name,
        digest=source.digest(),
        voxel_size_a=source.voxel_size_a,
        start_voxels=source.start_voxels,
        sums=sums,
    )


def _prepare(store: Path, source: TomogramSource, layout: Layout) -> None:
    """Make the empty store, unless one is there that was begun for the same source and layout."""
    plan = _plan(source, layout)
    if unfinished_plan(store) == plan:
        return
    remove(store)
    create_store(
        store,
        source.shape,
        source.dtype,
        chunk=layout.chunk,
        shard=layout.shard,
        levels=layout.levels,
        plan=plan,
    )


def _plan(source: TomogramSource, layout: Layout) -> dict[str, Any]:
    status = source.path.stat()
    return {
        "source": source.path.name,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "voxel_size_a": source.voxel_size_a,
        "layout": [layout.chunk, layout.shard, layout.levels],
    }
