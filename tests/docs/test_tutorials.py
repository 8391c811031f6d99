"""Each tutorial runs as it stands, in a copy of the repository, and prints what it shows.

Its pictures are left in `build/tutorials`, from where they go to `docs/tutorials`.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.checkout import ROOT, copy_of_the_tree, environment
from tests.docs.pages import differences, pictures, session

PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
_LARGEST = 100_000  # bytes of a picture


@pytest.mark.tutorial
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial_runs_and_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    copy_of_the_tree(tmp_path)
    log = tmp_path / "printed"
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", session(text)],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=1100)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)  # servers that it has started
    printed = log.read_text(encoding="utf-8", errors="replace")
    print(printed)
    assert code == 0
    assert "Traceback" not in printed
    assert "Warning" not in printed
    assert differences(text, printed) == []
    kept = ROOT / "build" / "tutorials"
    kept.mkdir(parents=True, exist_ok=True)
    for name in pictures(text):
        shutil.copy(tmp_path / "work" / "tutorial" / name, kept)
        assert (kept / name).stat().st_size <= _LARGEST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pictures_of_a_tutorial_are_there_and_small(page: Path) -> None:
    for name in pictures(page.read_text(encoding="utf-8")):
        assert 0 < (page.parent / name).stat().st_size <= _LARGEST
