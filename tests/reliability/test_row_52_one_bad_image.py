"""One bad image among many: the others are collected, one line says which, exit 2."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.particles.stack import open_stack


def test_row_52_one_bad_image(
    tmp_path: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1000):
        np.save(folder / f"a_{number:04d}.npy", np.full((4, 4), number, np.uint16))
    (folder / "a_0567.npy").write_bytes(b"no image")
    out = tmp_path / "out.particles.zarr"
    code = entry("collect", source=folder, out=out)
    lines = [line for line in capsys.readouterr().err.splitlines() if "0567" in line]
    assert code == 2
    assert len(lines) == 1
    values = open_stack(out).read()[:, 0, 0, 0]
    np.testing.assert_array_equal(values, np.delete(np.arange(1000), 567))
