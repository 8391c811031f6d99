"""Of two runs with one output path the second is refused, while the first writes and after."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from numpy.typing import NDArray

from tests.reliability.test_row_18_two_writers import HOLD


@contextmanager
def another_writes(path: Path) -> Iterator[int]:
    """Hold a path in another process."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


@pytest.fixture
def inputs(tmp_path: Path, stack: Path) -> dict[str, dict[str, object]]:
    """Return, by entry, parameters that would do: a tomogram, positions, images and maps."""
    random = np.random.default_rng(0)

    def noise(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    for name in "abc":
        write_mrc(tmp_path / "maps" / f"{name}.mrc", noise(8, 8, 8), 10.0)
    write_mrc(tmp_path / "tomo.mrc", noise(24, 24, 24), 10.0)
    labels = {"labels": np.array([0, 0, 1, 1]), "class_names": np.array(["a", "b"])}
    np.savez(tmp_path / "images.npz", images=noise(4, 8, 8), group=np.arange(4), **labels)
    return {
        "ingest": {"source": tmp_path / "tomo.mrc", "out": tmp_path, "scheduler": "threads"},
        "collect": {"source": tmp_path / "images.npz", "out": tmp_path / "i.particles.zarr"},
        "affinity": {"templates": tmp_path / "maps", "out": tmp_path / "a.csv", "method": "fsc"},
        "train": {
            "data": stack,
            "checkpoints": tmp_path / "kept",
            "model": "autoencoder",
            "epochs": 1,
            "channels": 2,
            "device": "cpu",
        },
    }


@pytest.mark.parametrize(
    ("name", "made", "again"),
    [
        ("ingest", "tomo.ome.zarr", "exists already"),
        ("collect", "i.particles.zarr", "exists already"),
        ("affinity", "a.csv", "exists already"),
        ("train", "kept", " not empty"),
    ],
)
def test_row_48_one_output_path(
    tmp_path: Path,
    inputs: dict[str, dict[str, object]],
    entry: Callable[..., int],
    capsys: pytest.CaptureFixture,
    name: str,
    made: str,
    again: str,
) -> None:
    with another_writes(tmp_path / made) as pid:
        assert entry(name, **inputs[name]) == 2
        assert f"being written by process {pid}" in capsys.readouterr().err
    assert entry(name, **inputs[name]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / made).rglob("*") if path.is_file()}
    assert entry(name, **inputs[name]) == 2
    assert again in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in before}
