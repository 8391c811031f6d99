"""Ingest against zarr-python writing the same array with the same codecs from memory."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.shards import chunk_codecs

from tests.benchmarks.memory import peak_memory
from tests.benchmarks.ratio import Ratio, interleaved_seconds

RATE_SHAPE = (512, 512, 1024)  # 1 GiB of float32
MEMORY_SHAPE = (512, 1024, 2048)  # 4 GiB
INGEST_WITH_TWO_WORKERS = """
import os, sys
from latentlaw.data.tomograms.ingest import ingest_tomograms
if __name__ == "__main__":
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    ingest_tomograms(sys.argv[1], sys.argv[2], scheduler="local", overwrite=True)
"""


def measure() -> list[Ratio]:
    """Return the ratio of rates, and the peak memory for 4 GiB with two workers."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as scratch:
        folder = Path(scratch)
        return [_rate(folder), _peak(folder)]


def _rate(folder: Path) -> Ratio:
    volume = np.random.default_rng(0).standard_normal(RATE_SHAPE, dtype=np.float32)
    write_mrc(folder / "rate.mrc", volume, 10.0)

    def ours() -> None:
        ingest_tomograms(
            folder / "rate.mrc", folder / "ours", levels=1, scheduler="threads", overwrite=True
        )

    def peer() -> None:
        shutil.rmtree(folder / "peer", ignore_errors=True)
        zarr.create_array(
            folder / "peer",
            data=volume,
            chunks=(128, 128, 128),
            shards=(512, 512, 512),
            compressors=chunk_codecs(),
        )

    our_s, their_s = interleaved_seconds(ours, peer)
    gigabytes = volume.nbytes / 1e9
    return Ratio(
        "ingest, 1 GiB MRC, one level",
        "zarr-python from memory, same shards and codecs",
        gigabytes / our_s,
        gigabytes / their_s,
        "GB/s",
        bar=0.8,
    )


def _peak(folder: Path) -> Ratio:
    path = folder / "large.mrc"
    noise_mrc(path, MEMORY_SHAPE)
    peak = peak_memory(
        [sys.executable, "-c", INGEST_WITH_TWO_WORKERS, str(path), str(folder / "out")]
    )
    gibibyte = 2**30
    return Ratio(
        "peak memory, ingest of 4 GiB, three levels, two workers, all processes",
        "the tomogram's size",
        peak / gibibyte,
        path.stat().st_size / gibibyte,
        "GiB",
        bar=1.0,
        at_most=True,
    )


def noise_mrc(path: Path, shape: tuple[int, int, int]) -> None:
    """Write a float32 MRC of `shape` a slab of noise at a time."""
    generator = np.random.default_rng(0)
    write_mrc(path, np.zeros((2, *shape[1:]), np.float32), 10.0)
    header = bytearray(path.read_bytes()[:1024])
    header[8:12] = np.int32(shape[0]).tobytes()
    header[36:40] = np.int32(shape[0]).tobytes()
    header[48:52] = np.float32(10.0 * shape[0]).tobytes()
    with path.open("wb") as file:
        file.write(header)
        for _ in range(shape[0]):
            file.write(generator.standard_normal(shape[1:], dtype=np.float32).tobytes())
