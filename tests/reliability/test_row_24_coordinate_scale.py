"""Row 24: coordinates that are no numbers are refused; a wrong scale is refused or warned of."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.errors import DataError

from tests.data.tomogram_samples import SHAPE, make_coordinates, make_tomogram, noise


@pytest.mark.parametrize("bad", ["nan", "inf", "ten", ""])
def test_row_24_coordinate_scale_not_a_number(tmp_path: Path, bad: str) -> None:
    csv, star = tmp_path / "p.csv", tmp_path / "p.star"
    csv.write_text(f"tomogram,z,y,x\nt,1,2,3\nt,1,{bad},3\n")
    with pytest.raises(DataError, match=r"p\.csv: line 3: found a coordinate that is no number"):
        read_coordinates(csv)
    names = ["rlnTomoName", *(f"rlnCoordinate{a}" for a in "XYZ"), "rlnPixelSize"]
    loop = "\n".join(f"_{name}" for name in names)
    star.write_text(f"data_\nloop_\n{loop}\nt 1 2 3 1\nt 1 '{bad}' 3 1\n")
    with pytest.raises(
        DataError, match=r"p.star: particle 1, rlnCoordinateY: found '.*', expected"
    ):
        read_coordinates(star)


def test_row_24_coordinate_scale(tmp_path: Path) -> None:
    store = make_tomogram(tmp_path, noise())
    out = tmp_path / "s.particles.zarr"
    voxels = np.random.default_rng(0).uniform(10, np.array(SHAPE) - 10, (20, 3))
    right = make_coordinates(tmp_path / "right.csv", voxels)
    assert extract_particles(store, right, out, box=8).warnings == ()
    times_ten = make_coordinates(tmp_path / "times_ten.csv", voxels * 10)
    with pytest.raises(
        DataError, match=r"20 of 20 positions lie outside.*divided by the voxel size 10 A, 100%"
    ):
        extract_particles(store, times_ten, out, box=8, overwrite=True)
    over_ten = make_coordinates(tmp_path / "over_ten.csv", voxels / 10)
    report = extract_particles(store, over_ten, out, box=8, edge="pad", overwrite=True)
    assert "in pixels where angstrom are due" in report.warnings[0]
    far = np.vstack([voxels[:8], voxels + 1000])
    report = extract_particles(
        store, make_coordinates(tmp_path / "far.csv", far), out, box=8, overwrite=True
    )
    assert report.extracted == 8
    assert "20 of 28 positions lie outside" in report.warnings[0]
