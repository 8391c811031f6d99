"""An MRC file shorter than its header says."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc


def test_row_01_short_mrc(
    tmp_path: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_mrc(folder / "d_whole.mrc", np.ones((4, 5, 6), np.float32), 10.0)
    whole = (folder / "d_whole.mrc").read_bytes()
    cut = {
        "a.mrc": whole[:-100],
        "b.mrc.gz": gzip.compress(whole[:-100]),
        "c.mrc.gz": gzip.compress(whole, 0)[:-108],  # less the 8 bytes that end a gzip file
    }
    for name, content in cut.items():
        (folder / name).write_bytes(content)
    code = entry("ingest", source=folder, out=tmp_path / "out", scheduler="threads")
    said = capsys.readouterr().err
    assert code == 2
    for name in cut:
        assert f"{folder / name}: header says 1504 bytes, found 1404" in said
    assert "Traceback" not in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["d_whole.ome.zarr"]
