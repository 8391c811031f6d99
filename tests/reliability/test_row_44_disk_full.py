"""A disk that fills up is one line; nothing half written has a final name; room brings it back.

A limit on the size of files stands for the disk: writing fails with the same kind of error.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from latentlaw.data.ingest import ingest
from latentlaw.data.mrc import write_mrc
from latentlaw.data.validate import validate_tomogram

ROOT = Path(__file__).parents[2]
LIMIT = 2**18


def test_row_44_convert(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    write_mrc(tmp_path / "tomo.mrc", random.normal(size=(64, 64, 64)).astype(np.float32), 10.0)
    made = subprocess.run(
        [sys.executable, "-c", CONVERT, str(tmp_path), str(LIMIT)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 2, made.stderr
    assert "Traceback" not in made.stderr
    assert "make room, then run the same command again" in made.stderr
    assert not (tmp_path / "out" / "tomo.ome.zarr").exists()
    report = ingest(tmp_path / "tomo.mrc", tmp_path / "out", chunk=32, shard=64)
    assert validate_tomogram(report.stores[0]) == []


CONVERT = """
import resource, sys
from pathlib import Path
from latentlaw.data.ingest import ingest
from pipelines._entry import Entry, command
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
command(
    Entry,
    lambda _: ingest(folder / "tomo.mrc", folder / "out", chunk=32, shard=64, scheduler="threads"),
    [],
)
"""


def test_row_44_checkpoint(tmp_path: Path) -> None:
    written = subprocess.run(
        [sys.executable, "-c", CHECKPOINT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert written.returncode == 2, written.stderr
    assert "could not be written (File too large); those before it are whole" in written.stderr
    from latentlaw.training.checkpoints import checkpoint_folder, read_checkpoint

    with checkpoint_folder(tmp_path):
        assert read_checkpoint(tmp_path).record.progress.step == 1


CHECKPOINT = """
import resource, sys
from pathlib import Path
import torch
from latentlaw.training.checkpoints import Checkpoint, Progress, Record, write_checkpoint
from pipelines._entry import Entry, command

def write(step, size):
    record = Record(progress=Progress(step=step), batches={"seed": 0, "epoch": 0, "taken": 0})
    write_checkpoint(Path(sys.argv[1]), Checkpoint(record, {"model/w": torch.zeros(size)}))

write(1, 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
command(Entry, lambda _: write(2, 10_000), [])
"""
