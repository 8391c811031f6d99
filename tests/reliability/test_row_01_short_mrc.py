"""An MRC file shorter than its header says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.mrc import write_mrc


def test_row_01_short_mrc(
    tmp_path: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a_cut", "b_whole"):
        write_mrc(folder / f"{name}.mrc", np.ones((4, 5, 6), np.float32), 10.0)
    cut = folder / "a_cut.mrc"
    cut.write_bytes(cut.read_bytes()[:-100])
    code = entry("ingest", source=folder, out=tmp_path / "out", scheduler="threads")
    said = capsys.readouterr().err
    assert code == 2
    assert f"{cut}: header says 1504 bytes, found 1404" in said
    assert "Traceback" not in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b_whole.ome.zarr"]
