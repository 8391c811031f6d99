"""A store whose writer was killed does not open; ingesting again completes what is missing."""

import os
import shutil
from pathlib import Path

import pytest
import zarr
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError

from tests.reliability.trees import contents


class KilledError(Exception):
    """Stands for a kill: nothing of ours handles it."""


def interrupted(source: Path, out: Path, after: int) -> Path:
    """Ingest until `after` shards are written; return the unfinished store."""

    def stop(done: int, total: int, what: str) -> None:
        if done >= after:
            raise KilledError

    with pytest.raises(KilledError):
        ingest_tomograms(source, out, chunk=8, shard=16, scheduler="threads", progress=stop)
    return out / ".tomo.ome.zarr.partial"


def test_row_15_unfinished_store(tmp_path: Path, mrc: Path, store: Path) -> None:
    partial = interrupted(mrc, tmp_path / "again", after=5)
    with pytest.raises(DataError, match="make one with `ingest`"):
        open_tomogram(partial)
    done = {path: path.stat().st_mtime_ns for path in partial.rglob("c/*/*/*")}
    assert len(done) >= 5
    (resumed,) = ingest_tomograms(
        mrc, tmp_path / "again", chunk=8, shard=16, scheduler="threads"
    ).stores
    assert contents(resumed) == contents(store)
    kept = {resumed / path.relative_to(partial): time for path, time in done.items()}
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert [path.name for path in resumed.parent.iterdir()] == ["tomo.ome.zarr"]


def test_row_15_unfinished_store_with_a_torn_shard(tmp_path: Path, mrc: Path, store: Path) -> None:
    partial = interrupted(mrc, tmp_path / "again", after=5)
    torn = next(iter(sorted(partial.rglob("c/*/*/*"))))
    torn.write_bytes(torn.read_bytes()[:-30])
    ingest_tomograms(mrc, tmp_path / "again", chunk=8, shard=16, scheduler="threads")
    assert contents(tmp_path / "again" / "tomo.ome.zarr") == contents(store)


def test_row_15_another_source_starts_anew(tmp_path: Path, mrc: Path, store: Path) -> None:
    partial = interrupted(mrc, tmp_path / "again", after=5)
    status = mrc.stat()
    os.utime(mrc, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    torn = next(iter(sorted(partial.rglob("c/*/*/*"))))
    shutil.copy(store / "s0/c/1/1/1", torn)  # sound, but of other voxels: must not be kept
    ingest_tomograms(mrc, tmp_path / "again", chunk=8, shard=16, scheduler="threads")
    assert contents(tmp_path / "again" / "tomo.ome.zarr") == contents(store)


@pytest.mark.parametrize("kind", ["store", "stack"])
def test_row_15_all_there_but_the_marker(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    group = zarr.open_group(path, mode="r+")
    group.attrs["latentlaw"] = group.attrs["latentlaw"] | {"complete": False}
    with pytest.raises(DataError, match=r"'complete': False.*, expected a complete store of"):
        open_tomogram(path) if kind == "store" else open_stack(path)
