"""A Dask cluster of several worker processes, one of which dies on the way."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from dask import distributed
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.validate import validate_tomogram
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import ConfigError


def test_a_worker_killed_on_the_way_costs_nothing(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=(48, 64, 64)).astype(np.float32)
    write_mrc(tmp_path / "tomo.mrc", volume, 10.0)
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        killed: list[int] = []
        workers = sorted(cluster.workers.values(), key=lambda worker: worker.name)

        def kill_one(done: int, total: int, what: str) -> None:
            if not killed:
                killed.append(workers[0].pid)
                os.kill(workers[0].pid, signal.SIGKILL)

        report = ingest_tomograms(
            tmp_path / "tomo.mrc",
            tmp_path / "stores",
            chunk=8,
            shard=16,
            scheduler=cluster.scheduler_address,
            progress=kill_one,
        )
    assert killed
    assert not report.failures
    np.testing.assert_array_equal(open_tomogram(report.stores[0]).levels[0][:], volume)
    assert validate_tomogram(report.stores[0]) == []


def test_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentlaw.data.scheduler._CONNECT_S", 1)
    write_mrc(tmp_path / "tomo.mrc", np.ones((4, 4, 4), np.float32), 10.0)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        ingest_tomograms(tmp_path / "tomo.mrc", tmp_path / "out", scheduler="tcp://127.0.0.1:9")
