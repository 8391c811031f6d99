"""A disk that fills up is one line; nothing half written has a final name; room brings it back.

A limit on the size of files stands for the disk: writing fails with the same kind of error.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.validate import validate_tomogram
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.training.checkpoints import checkpoint_folder, read_checkpoint
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
LIMIT = 2**18


def outcome(
    program: str, *arguments: object, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"},
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def told(program: str, *arguments: object, cwd: Path | None = None) -> str:
    """Run a program whose disk fills up, which must exit with 2, and return what it said."""
    done = outcome(program, *arguments, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_row_44_convert(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    write_mrc(tmp_path / "tomo.mrc", random.normal(size=(64, 64, 64)).astype(np.float32), 10.0)
    assert "make room, then run the same command again" in told(CONVERT, tmp_path, LIMIT)
    assert not (tmp_path / "out" / "tomo.ome.zarr").exists()
    report = ingest_tomograms(tmp_path / "tomo.mrc", tmp_path / "out", chunk=32, shard=64)
    assert validate_tomogram(report.stores[0]) == []


CONVERT = """
import resource, sys
from pathlib import Path
from latentlaw.data.tomograms.ingest import ingest_tomograms
from pipelines.cli.command import command
from pipelines.cli.parameters import Entry
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
command(
    Entry,
    lambda _: ingest_tomograms(
        folder / "tomo.mrc", folder / "out", chunk=32, shard=64, scheduler="threads"
    ),
    [],
)
"""


def test_row_44_checkpoint(tmp_path: Path) -> None:
    said = told(CHECKPOINT, tmp_path)
    assert "could not be written (File too large); those before it are whole" in said
    with checkpoint_folder(tmp_path):
        assert read_checkpoint(tmp_path).record.progress.step == 1


CHECKPOINT = """
import resource, sys
from pathlib import Path
import torch
from latentlaw.training.checkpoints import Checkpoint, Progress, Record, write_checkpoint
from pipelines.cli.command import command
from pipelines.cli.parameters import Entry

def write(step, size):
    record = Record(progress=Progress(step=step), batches={"seed": 0, "epoch": 0, "taken": 0})
    write_checkpoint(Path(sys.argv[1]), Checkpoint(record, {"model/w": torch.zeros(size)}))

write(1, 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
command(Entry, lambda _: write(2, 10_000), [])
"""


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("artifact", "make room, then run the same command again"),
        ("metrics", "takes no more of the run: "),
    ],
)
def test_row_44_tracking(
    tmp_path: Path,
    empty_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    message: str,
) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    said = told(TRACK, what, cwd=tmp_path)
    assert message in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.rglob("table.bin"))
    database = sqlite3.connect(tmp_path / "mlflow.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    assert outcome(TRACK, "little", cwd=tmp_path).returncode == 0
    client = MlflowClient(uri)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED"]


TRACK = """
import os, resource, sys
from latentlaw.tracking.recording.runs import configure_tracking, log_file, log_metrics, stage_run
from pipelines.cli.command import command
from pipelines.cli.parameters import Entry

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

def write(path):
    path.write_bytes(bytes(2**23))
    limit(2**22)

def work(_):
    with stage_run("collect", {}):
        if sys.argv[1] == "artifact":
            log_file("table.bin", write)
        elif sys.argv[1] == "metrics":
            limit(os.path.getsize("mlflow.db") + 2**15)
            for i in range(1000):
                log_metrics({f"a/{i}_{k}": 1.0 for k in range(100)})

configure_tracking()
command(Entry, work, [])
"""
