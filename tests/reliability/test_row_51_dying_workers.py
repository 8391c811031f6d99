"""Work on which workers die is tried again, then named; the rest is done and kept."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
from dask import distributed
from latentlaw.data.scheduler import open_scheduler
from latentlaw.data.storage.output import resumable_output
from latentlaw.errors import DataError, WorkerError

ITEMS = range(8)
POISON = 3


def dies(job: tuple[str, int]) -> int:
    folder, item = job
    if item == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / str(item)).touch()
    return item * item


def grows(job: tuple[str, int]) -> int:
    folder, item = job
    held = []
    for _ in range(600 if item == POISON else 0):  # slowly, so that the nanny sees it
        held.append(np.ones(2**20))
        time.sleep(0.02)
    (Path(folder) / str(item)).touch()
    return item * item


def dies_at_first(job: tuple[str, int]) -> int:
    folder, item = job
    mark = Path(folder) / str(item)
    if item == POISON and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


@pytest.fixture
def address() -> Iterator[str]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 2}),  # three deaths
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit="600MiB",
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.mark.parametrize("function", [dies, grows], ids=["killed", "memory over limit"])
def test_row_51_dying_workers(
    address: str, tmp_path: Path, function: Callable[[tuple[str, int]], int]
) -> None:
    jobs = [(str(tmp_path), item) for item in ITEMS]
    named = re.escape(str(jobs[POISON]))
    with (
        open_scheduler(address) as tasks,
        pytest.raises(WorkerError, match=f"each worker that was given {named} died"),
    ):
        list(tasks.map(function, jobs))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        str(item) for item in ITEMS if item != POISON
    ]


def test_row_51_one_death_costs_nothing(address: str, tmp_path: Path) -> None:
    with open_scheduler(address) as tasks:
        jobs = [(str(tmp_path), item) for item in ITEMS]
        assert list(tasks.map(dies_at_first, jobs)) == [item * item for item in ITEMS]
    assert (tmp_path / str(POISON)).exists()


def write_a_part(out: Path, error: DataError) -> None:
    with resumable_output(out) as partial:
        partial.mkdir()
        (partial / "shard").touch()
        raise error


@pytest.mark.parametrize(("error", "kept"), [(WorkerError, True), (DataError, False)])
def test_row_51_what_is_done_is_kept(
    tmp_path: Path, error: type[DataError], *, kept: bool
) -> None:
    with pytest.raises(error):
        write_a_part(tmp_path / "out", error("dead"))
    assert not (tmp_path / "out").exists()
    with resumable_output(tmp_path / "out") as partial:
        assert (partial / "shard").exists() == kept
        partial.mkdir(exist_ok=True)
