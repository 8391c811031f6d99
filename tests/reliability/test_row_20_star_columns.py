"""Row 20: a STAR file without the columns needed, or with an empty loop, lists what it has."""

from pathlib import Path

import pytest
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.errors import DataError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "loop_\n_rlnTomoName\n_rlnFoo\nt 1\n",
            "found columns rlnTomoName, rlnFoo, .*CoordinateX",
        ),
        (
            "loop_\n_rlnCoordinateX\n_rlnFoo\n1 1\n",
            "found columns rlnCoordinateX, rlnFoo, .*tomogram's name",
        ),
        ("loop_\n_rlnTomoName\n_rlnFoo\n", r"found no particles.*'rlnTomoName', 'rlnFoo'"),
        ("_rlnTomoName t\n", "found no particles, blocks"),
    ],
)
def test_row_20_star_columns(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.star"
    path.write_text(f"data_particles\n\n{text}")
    with pytest.raises(DataError, match=f"p.star: .*{message}"):
        read_coordinates(path)
