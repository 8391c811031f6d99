"""Scorecard row 28: classes match by their exact name; else the nearest is offered."""

import re
from pathlib import Path

import pytest
from latentlaw.errors import DataError
from latentlaw.priors.files import read_affinity


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [("4V4R", "4v4r"), ("4v4r ", "4v4r"), (" 1s3x", "1s3x"), ("1s3", "1s3x"), ("trna", "tRNA ")],
)
def test_row_28_class_names(tmp_path: Path, wanted: str, nearest: str) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text("4v4r,4v4r_30S,1s3x,tRNA \n1,0,0,0\n0,1,0,0\n0,0,1,0\n0,0,0,1\n")
    table = read_affinity(path)
    message = f"class {wanted!r} of the data (did you mean {nearest!r}?)"
    with pytest.raises(DataError, match=re.escape(message)):
        table.select([wanted])


def test_row_28_a_prefix_is_a_class_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "affinity.csv"
    path.write_text("4v4r,4v4r_30S\n1,.5\n.5,1\n")
    chosen = read_affinity(path).select(["4v4r_30S", "4v4r"])
    assert chosen.class_names == ("4v4r_30S", "4v4r")
    assert chosen.values.tolist() == [[1, 0.5], [0.5, 1]]
