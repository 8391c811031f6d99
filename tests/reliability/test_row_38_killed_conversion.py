"""An ingest that was killed and is run again ends with the same bytes as an unbroken one."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms

from tests.reliability.trees import contents

MOMENTS = 100


def convert(source: Path, out: Path) -> None:
    report = ingest_tomograms(source, out, chunk=8, shard=16, levels=2, scheduler="threads")
    assert not report.failures


def killed(source: Path, out: Path, after_s: float) -> bool:
    """Kill a child that converts; tell whether it was still at it."""
    child = os.fork()
    if child == 0:
        convert(source, out)
        os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def seconds(source: Path, out: Path) -> float:
    """Convert, and return how long it took."""
    start = time.perf_counter()
    convert(source, out)
    return time.perf_counter() - start


def test_row_38_killed_conversion(tmp_path: Path) -> None:
    source = tmp_path / "tomo.mrc"
    volume = np.random.default_rng(0).normal(size=(32, 40, 40)).astype(np.float32)
    write_mrc(source, volume, 10.0)
    whole_s = min(seconds(source, tmp_path / f"try{i}") for i in range(3))
    convert(source, tmp_path / "unbroken")
    expected = contents(tmp_path / "unbroken")
    draw = random.Random(0)
    out = tmp_path / "broken"
    broken = 0
    for _ in range(MOMENTS):
        shutil.rmtree(out, ignore_errors=True)
        broken += killed(source, out, draw.uniform(0, whole_s))
        if not (out / "tomo.ome.zarr").exists():
            convert(source, out)
        assert contents(out) == expected
    assert broken > MOMENTS / 2
