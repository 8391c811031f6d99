"""A tomogram larger than this machine's memory."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.store import open_tomogram

from tests.benchmarks.memory import peak_memory

SHAPE = (1500, 2240, 2240)  # 30 GB of float32
INGEST = """
import sys
from latentlaw.data.tomograms.ingest import ingest_tomograms
if __name__ == "__main__":
    ingest_tomograms(sys.argv[1], sys.argv[2], scheduler="local")
"""
_HEADER_BYTES = 1024


def sparse_mrc(path: Path, voxels: dict[tuple[int, int, int], float]) -> None:
    """Write an MRC file of `SHAPE` that is zero but for `voxels`, and takes no space for that."""
    write_mrc(path, np.zeros((2, 2, 2), np.float32), 10.0)
    header = bytearray(path.read_bytes()[:_HEADER_BYTES])
    edges = np.array(SHAPE[::-1], "<i4")  # nx, ny, nz
    header[0:12] = header[28:40] = edges.tobytes()
    header[40:52] = (10.0 * edges).astype("<f4").tobytes()
    with path.open("wb") as file:
        file.write(header)
        file.truncate(_HEADER_BYTES + 4 * int(np.prod(SHAPE)))
        for place, value in voxels.items():
            file.seek(_HEADER_BYTES + 4 * int(np.ravel_multi_index(place, SHAPE)))
            file.write(np.float32(value).tobytes())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_larger_than_memory(tmp_path: Path) -> None:
    source = tmp_path / "huge.mrc"
    z, y, x = SHAPE
    voxels = {(0, 0, 0): 1.0, (511, 512, 1023): 2.0, (800, 1500, 70): 3.0}
    voxels[z - 1, y - 1, x - 1] = 4.0
    sparse_mrc(source, voxels)
    assert source.stat().st_size > 30e9
    assert os.stat(source).st_blocks * 512 < 1e6
    peak = peak_memory([sys.executable, "-c", INGEST, str(source), str(tmp_path / "out")])
    print(f"peak memory {peak / 2**30:.2f} GiB for {source.stat().st_size / 2**30:.0f} GiB")
    workers = min(8, len(os.sched_getaffinity(0)))
    assert peak < (0.5 + 0.4 * workers) * 2**30
    tomogram = open_tomogram(tmp_path / "out" / "huge.ome.zarr")
    assert tomogram.shape == SHAPE
    for place, value in voxels.items():
        region = tuple(slice(max(i - 2, 0), i + 3) for i in place)
        box = tomogram.read(region)
        assert box.sum() == box.max() == value
        assert tomogram.levels[0][place] == value
        coarse = tuple(i // 2 for i in place)
        assert tomogram.levels[1][coarse] == pytest.approx(value / 8)
