"""Big-endian files and wrong machine stamps are read right and noted on the run."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import mrcfile
import numpy as np
from latentlaw.data.tomograms.store import open_tomogram
from numpy.typing import NDArray


def swapped(path: Path, stamp: bytes) -> None:
    """Turn a little-endian file of float32 into a big-endian one."""
    raw = path.read_bytes()
    header = bytearray(np.frombuffer(raw[:1024], mrcfile.dtypes.HEADER_DTYPE).byteswap().tobytes())
    header[208:216] = b"MAP " + stamp
    path.write_bytes(bytes(header) + np.frombuffer(raw[1024:], "<f4").byteswap().tobytes())


def test_row_03_byte_order(
    tmp_path: Path, mrc: Path, volume: NDArray[np.float32], entry: Callable[..., int]
) -> None:
    for stamp, note in (
        (b"\x11\x11\0\0", "big-endian"),
        (b"\x44\x44\0\0", "says little-endian, the voxels are not"),
        (b"\0\0\0\0", "not a known one"),
    ):
        source = tmp_path / f"{stamp.hex()}.mrc"
        source.write_bytes(mrc.read_bytes())
        swapped(source, stamp)
        assert entry("ingest", source=source, out=tmp_path / "out", scheduler="threads") == 0
        tomogram = open_tomogram(tmp_path / "out" / f"{stamp.hex()}.ome.zarr")
        np.testing.assert_array_equal(tomogram.levels[0][:], volume)
        run = mlflow.search_runs(max_results=1, order_by=["start_time DESC"]).iloc[0]
        assert note in run["tags.latentlaw.source_notes"]
