"""Scorecard row 27: a faulty affinity table is refused, and the cell is named."""

from pathlib import Path

import pytest
from latentlaw.errors import DataError
from latentlaw.priors.files import read_affinity

_TABLE = "a,b,c\n{rows}\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,.1,.2\n.1,1,.3", r"found shape \(2, 3\) for 3 classes; row 'c' is missing"),
        ("1,.1,.2\n.1,1,.9\n.2,.3,1", "row 'b', column 'c': found '.9', expected .* '?.3"),
        ("1,.1,.2\n.1,.5,.3\n.2,.3,1", "row 'b', column 'b': found '.5', expected 1 on the diag"),
        (
            "1,.1,.2\n.1,1,3\n.2,3,1",
            r"row 'b', column 'c': found '3', expected a value in \[-1, 1",
        ),
        ("1,.1,-2\n.1,1,.3\n-2,.3,1", "row 'a', column 'c': found '-2', expected a value in"),
        ("1,.1,.2\n.1,1,nan\n.2,nan,1", "row 'b', column 'c': found 'nan', expected a number"),
        ("1,.1,\n.1,1,.3\n.2,.3,1", "row 'a', column 'c': found '', expected a number"),
        ("1,x,.2\nx,1,.3\n.2,.3,1", "row 'a', column 'b': found 'x', expected a number"),
        ("1,.1,inf\n.1,1,.3\ninf,.3,1", "row 'a', column 'c': found 'inf', expected a number"),
    ],
)
def test_row_27_affinity_cells(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text(_TABLE.format(rows=rows))
    with pytest.raises(DataError, match=message) as caught:
        read_affinity(path)
    assert str(path) in str(caught.value)


def test_row_27_noise_between_mirrored_cells_is_kept_for_the_projection(tmp_path: Path) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text(_TABLE.format(rows="1,.1,.2\n.1,1,.4\n.2,.3,1"))
    assert read_affinity(path).asymmetry == pytest.approx(0.1)
