"""Scorecard row 29: rows in another order than columns are aligned by name, else refused."""

from pathlib import Path

import pytest
from latentlaw.errors import DataError
from latentlaw.priors.files import read_affinity


@pytest.mark.parametrize("corner", ["", "class"])
def test_row_29_row_order(tmp_path: Path, corner: str) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text(f"{corner},a,b,c\nc,.2,.3,1\na,1,.1,.2\nb,.1,1,.3\n")
    table = read_affinity(path)
    assert table.class_names == ("a", "b", "c")
    assert table.values.tolist() == [[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("A,1,0\nb,0,1", r"found row 'A' and no such column \(did you mean 'a'\?\)"),
        ("0,1,0\n1,0,1", "found row '0' and no such column"),
        ("a,1,0\na,0,1", "found 2 rows of column 'a', expected one"),
        ("a,1,0", "found 0 rows of column 'b', expected one"),
    ],
)
def test_row_29_names_that_do_not_match_are_refused(
    tmp_path: Path, rows: str, message: str
) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text(f",a,b\n{rows}\n")
    with pytest.raises(DataError, match=message):
        read_affinity(path)
