"""One bad file among a thousand: the others are done, one line says which, exit 2."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc


def test_row_52_one_bad_file(
    tmp_path: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_mrc(folder / "0000.mrc", np.ones((2, 3, 4), np.float32), 10.0)
    for number in range(1, 1000):
        shutil.copy(folder / "0000.mrc", folder / f"{number:04d}.mrc")
    (folder / "0567.mrc").write_bytes(b"no MRC")
    code = entry("ingest", source=folder, out=tmp_path / "out", scheduler="threads")
    lines = [line for line in capsys.readouterr().err.splitlines() if "0567" in line]
    assert code == 2
    assert len(lines) == 1
    assert len(list((tmp_path / "out").iterdir())) == 999
