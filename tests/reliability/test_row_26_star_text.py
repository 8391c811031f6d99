"""Row 26: CRLF, tabs and quotes are read, and a million rows in less than 30 seconds."""

import time
from pathlib import Path

import numpy as np
from latentlaw.data.extraction.coordinates import read_coordinates

NAMES = [
    *("rlnTomoName", "rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"),
    *("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnPixelSize", "latentlawClass"),
]
HEAD = ["data_particles", "", "loop_", *(f"_{name} #{i}" for i, name in enumerate(NAMES, 1))]


def test_row_26_star_text_line_ends_tabs_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "p.star"
    rows = ["'tomo 1'\t10\t 20  30.5 0 0 0 2.0 \"a 'b\"", '"tomo 1" 1e1 2E1 3.05e1 0 0 0 2 1e10']
    path.write_bytes("\r\n".join([*HEAD, *rows, ""]).encode())
    table = read_coordinates(path)
    assert table["tomogram"].tolist() == ["tomo 1"] * 2
    assert table["label"].tolist() == ["a 'b", "1e10"]
    np.testing.assert_array_equal(table[["x", "y", "z"]], [[20, 40, 61]] * 2)


def test_row_26_star_text(tmp_path: Path) -> None:
    path, count = tmp_path / "p.star", 1_000_000
    row = " 2107.530000  1345.992800   803.250000  -126.27895  65.873044  99.174441  1.96  rod"
    rows = (f"TS_{i % 100:03d} {row}" for i in range(count))
    path.write_text("\n".join([*HEAD, *rows, ""]))
    start = time.perf_counter()
    table = read_coordinates(path)
    seconds = time.perf_counter() - start
    assert len(table) == count
    assert seconds < 30
    assert table["tomogram"].nunique() == 100
    assert table.loc[count - 1, "x"] == 2107.53 * 1.96
