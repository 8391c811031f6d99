"""Row 21: RELION 5's centred coordinates without the tomogram's size say what to pass."""

from pathlib import Path

import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.star.reading import absolute_positions, read_star
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError

from tests.data.tomogram_samples import make_tomogram, noise


def test_row_21_centred_coordinates(tmp_path: Path) -> None:
    names = ["rlnTomoName", *(f"rlnCenteredCoordinate{a}Angst" for a in "XYZ")]
    loop = "\n".join(f"_{name}" for name in names)
    path = tmp_path / "p.star"
    path.write_text(f"data_particles\n\nloop_\n{loop}\nTS_01 10 20 30\n")
    table = read_star(path)
    with pytest.raises(DataError, match=r"no size of TS_01; pass the tomogram's store"):
        absolute_positions(table, {"TS_02": (100, 100, 100)}, path)
    assert absolute_positions(table, {"TS_01": (100, 200, 301)}, path).tolist() == [
        [80, 120, 160.5]
    ]
    # Nor are they taken for absolute ones on the way out, or where the store is another's.
    with pytest.raises(DataError, match="positions from the centre"):
        write_star(tmp_path / "out.star", table)
    make_tomogram(tmp_path / "stores", noise(), "TS_02")
    with pytest.raises(DataError, match="no tomogram store for 1 names, TS_01"):
        extract_particles(tmp_path / "stores", path, tmp_path / "s.particles.zarr", box=8)
