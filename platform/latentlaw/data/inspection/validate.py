"""Validate: every chunk of a store is read and checked; bad ones of tomograms are made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from latentlaw.data.formats.sources import open_source
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.scheduler import open_scheduler
from latentlaw.data.storage.locks import locked
from latentlaw.data.tomograms.pyramid import ShardTask, make_shard, shard_tasks
from latentlaw.data.tomograms.shards import ShardSum, damaged_chunks, sum_shard
from latentlaw.data.tomograms.store import Tomogram, read_header
from latentlaw.errors import DataError
from latentlaw.progress import Progress, silent


@dataclass(frozen=True)
class Damage:
    """A shard, `LEVEL/KEY`, that is not what was written, and which of its chunks are bad.

    `chunks` count in C order within the shard; none are named where the file is missing or only
    its size or order is wrong.
    """

    shard: str
    chunks: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.shard + "".join(f" chunk {number}" for number in self.chunks[:5])


@dataclass(frozen=True)
class _Check:
    name: str
    path: Path
    due: ShardSum | None
    chunks: int


def validate_tomogram(
    store: str | Path, *, scheduler: str = "threads", progress: Progress = silent
) -> list[Damage]:
    """Read every chunk of a local tomogram store and return the shards that are damaged.

    Raises
    ------
    DataError
        If its metadata are damaged, so that there is nothing to check against.
    """
    tomogram = read_header(store)
    checks = _checks(tomogram)
    damages: list[Damage] = []
    with open_scheduler(scheduler) as tasks:
        for done, damage in enumerate(tasks.map(_check, checks), start=1):
            damages += [damage] if damage else []
            progress(done, len(checks), f"validate {tomogram.name}")
    return damages


def validate_stack(path: str | Path, *, progress: Progress = silent) -> list[str]:
    """Read every chunk of a particle stack; return what is wrong, one sentence per chunk.

    Raises
    ------
    DataError
        If it does not open at all.
    """
    images = open_stack(path).images
    count = -(-len(images) // images.rows_per_chunk)
    found = []
    for index in range(count):
        try:
            images.chunk(index)
        except DataError as error:
            found.append(str(error))
        progress(index + 1, count, f"validate {Path(path).name}")
    return found


def repair_tomogram(
    store: str | Path,
    source: str | Path,
    damages: Sequence[Damage],
    *,
    scheduler: str = "threads",
    progress: Progress = silent,
) -> None:
    """Make the damaged shards of a store again from the file that it was ingested from.

    Finer levels come first, since coarser ones are made from them.

    Raises
    ------
    DataError
        If `source` is not the file that the store came from, or a shard does not come out as it
        was.
    """
    tomogram = read_header(store)
    path = Path(store)
    original = open_source(Path(source), tomogram.voxel_size_a)
    if original.digest() != tomogram.digest:
        raise DataError(
            f"{source}: found another SHA-256 than that of what {store} was made from; find the "
            "original, or ingest anew with overwrite=true"
        )
    bad = {damage.shard for damage in damages}
    with locked(path), TemporaryDirectory(dir=path.parent) as scratch:
        voxels = original.voxels(Path(scratch) / "unpacked")
        with open_scheduler(scheduler) as tasks:
            done = 0
            for level in shard_tasks(path, voxels):
                wanted = [task for task in level if task.name in bad]
                for task, made in zip(wanted, tasks.map(make_shard, wanted), strict=True):
                    _compare(tomogram, task, made)
                    done += 1
                    progress(done, len(bad), f"repair {tomogram.name}")


def _checks(tomogram: Tomogram) -> list[_Check]:
    root = Path(tomogram.path)
    if not root.is_dir():
        raise DataError(f"{root}: found no local folder; validate a store where it lies")
    return [
        _Check(task.name, task.path.resolve(), tomogram.sums.get(task.name), task.chunk_count)
        for level in shard_tasks(root, None)
        for task in level
    ]


def _check(check: _Check) -> Damage | None:
    try:
        if check.due is not None and sum_shard(check.path) == check.due:
            return None
        bad = damaged_chunks(check.path, check.chunks)
    except OSError:
        return Damage(check.name)
    return Damage(check.name, tuple(bad)) if bad or check.due is not None else None


def _compare(tomogram: Tomogram, task: ShardTask, made: ShardSum) -> None:
    due = tomogram.sums.get(task.name, made)
    if made != due:
        raise DataError(
            f"{tomogram.path}: {task.name}, made again, is not what it was: this version of a "
            "codec may differ; ingest anew with overwrite=true"
        )
