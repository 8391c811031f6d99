"""A second writer on a store fails at once; the lock of a dead one does not hold."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from latentlaw.data.storage.output import new_output
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.errors import ConfigError

HOLD = """
import sys, time
from pathlib import Path
from latentlaw.data.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["tomo.ome.zarr", "stack.particles.zarr"])
def test_row_18_two_writers(tmp_path: Path, mrc: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out / name)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = f"written by process {holder.pid} on {socket.gethostname()}"
        with pytest.raises(ConfigError, match=said):
            write(mrc, out, name)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        write(mrc, out, name)
        assert [path.name for path in out.iterdir()] == [name]
    finally:
        holder.kill()
        holder.wait()


def write(mrc: Path, out: Path, name: str) -> None:
    if name.startswith("tomo"):
        ingest_tomograms(mrc, out, scheduler="threads")
    else:
        with new_output(out / name) as partial:
            partial.write_text("whole")
