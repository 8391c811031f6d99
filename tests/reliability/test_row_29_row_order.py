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
        ("A,1,0\nb,0,1", r"row 'A' is not among the columns \(did you mean 'a'\?\)"),
        ("0,1,0\n1,0,1", "row '0' is not among the columns"),
        ("a,1,0\na,0,1", "column 'a' has 2 rows, expected one"),
        ("a,1,0", "column 'b' has 0 rows, expected one"),
    ],
)
def test_row_29_names_that_do_not_match_are_refused(
    tmp_path: Path, rows: str, message: str
) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text(f",a,b\n{rows}\n")
    with pytest.raises(DataError, match=message):
        read_affinity(path)
