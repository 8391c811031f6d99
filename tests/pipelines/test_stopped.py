"""Ctrl-C and SIGTERM end a command in one line, with its run closed; it can be run again."""

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from latentlaw.tracking.recording.runs import stage_run
from mlflow.tracking import MlflowClient

from pipelines.cli.command import command
from pipelines.cli.parameters import Entry


@pytest.fixture
def heard() -> Iterator[None]:
    """Hear Ctrl-C, which a shell has what it runs in the background ignore: these tests, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGINT, "stopped by SIGINT"), (signal.SIGTERM, "stopped by SIGTERM")],
)
def test_signals_end_runs_as_killed(
    tracking_store: MlflowClient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    said: str,
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    ids: list[str] = []

    def run(_: Entry) -> None:
        with stage_run("main", {}) as outer, stage_run("train", {}) as inner:
            ids.extend((outer.info.run_id, inner.info.run_id))
            try:
                os.kill(os.getpid(), number)
                threading.Event().wait(10)
            finally:
                logging.getLogger("distributed.nanny").error("Nanny failed to start.")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        command(Entry, run, [])
    assert ended.value.code == 128 + number
    assert capsys.readouterr().err.strip() == (
        f"latentlaw: {said}; run the same command again: what is whole is kept"
    )
    assert [tracking_store.get_run(each).info.status for each in ids] == ["KILLED", "KILLED"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_is_told_to_the_makers_of_what_is_imported(tmp_path: Path) -> None:
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    # The signs by which MLflow leaves tests and CI alone would hide what users get.
    kept = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and "TEST" not in k}
    subprocess.run(
        [sys.executable, "-c", "import pipelines, mlflow, onnxruntime"],
        env=kept | places,
        check=True,
        timeout=60,
    )
    assert not list(tmp_path.rglob("*"))


def test_a_place_that_is_somebody_elses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def run(_: Entry) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "theirs/tomograms")

    with pytest.raises(SystemExit) as ended:
        command(Entry, run, [])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "latentlaw: error: theirs/tomograms: Permission denied; name another place, or have its "
        "owner let you in\n"
    )
