"""Extraction adds to a stack, tomogram by tomogram, as if all had been there at once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.star_rows import kept_star
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError

from tests.data.tomogram_samples import SIZE_A, make_coordinates, make_tomogram, noise
from tests.reliability.trees import contents

PLACES = np.array([[15, 16, 17], [20, 30, 40], [22, 24, 30]], float)


def listed(path: Path, tomogram: str) -> Path:
    if path.suffix == ".csv":
        return make_coordinates(path, PLACES, tomogram=tomogram)
    table = pd.DataFrame(PLACES * SIZE_A, columns=list("zyx")).assign(tomogram=tomogram)
    write_star(path, table.assign(particle_id=[f"{tomogram}{i}" for i in range(3)]), SIZE_A)
    return path


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    for seed, name in enumerate("ab"):
        make_tomogram(tmp_path / "stores", noise(seed), name)
    return tmp_path / "stores"


def test_appended_is_what_writing_at_once_makes(tmp_path: Path, stores: Path) -> None:
    first, second = (listed(tmp_path / f"{name}.csv", name) for name in "ab")
    both = tmp_path / "both.csv"
    pd.concat([pd.read_csv(first), pd.read_csv(second)]).to_csv(both, index=False)
    table = pd.read_csv(both).assign(particle_id=[f"p{i}" for i in range(6)])
    table.to_csv(both, index=False)
    table[:3].to_csv(first, index=False)
    table[3:].to_csv(second, index=False)
    extract_particles(stores, both, tmp_path / "once.particles.zarr", box=8)
    grown = tmp_path / "grown.particles.zarr"
    for path in (first, second):
        extract_particles(stores, path, grown, box=8, append=True)
    assert contents(grown) == contents(tmp_path / "once.particles.zarr")


def test_the_star_file_grows_with_the_stack(tmp_path: Path, stores: Path) -> None:
    grown = tmp_path / "grown.particles.zarr"
    lines = []
    for name in "ab":
        path = listed(tmp_path / f"{name}.star", name)
        extract_particles(stores, path, grown, box=8, append=True)
        lines += [line for line in path.read_text().splitlines() if line.startswith(name)]
    star = kept_star(open_stack(grown))
    assert star is not None
    assert list(star.particles.rows) == lines
    assert len(lines) == 6


def test_a_star_file_that_counts_more_than_the_stack_was_broken_off(
    tmp_path: Path, stores: Path
) -> None:
    out = tmp_path / "s.particles.zarr"
    extract_particles(stores, listed(tmp_path / "a.star", "a"), out, box=8)
    with (out / "particles.star").open("a") as file:
        file.write((out / "particles.star").read_text().splitlines()[-1] + "\n")
    star = kept_star(open_stack(out))
    assert star is not None
    assert len(star.particles.rows) == 3


def test_what_would_lose_columns_is_refused_before_anything_is_cut(
    tmp_path: Path, stores: Path
) -> None:
    out = tmp_path / "s.particles.zarr"
    extract_particles(stores, listed(tmp_path / "a.star", "a"), out, box=8)
    before = contents(out)
    with pytest.raises(DataError, match="expected the same"):
        extract_particles(stores, listed(tmp_path / "b.csv", "b"), out, box=8, append=True)
    other = listed(tmp_path / "b.star", "b")
    other.write_text(other.read_text().replace("10.000000", "11.000000"))
    with pytest.raises(DataError, match="columns or optics"):
        extract_particles(stores, other, out, box=8, append=True)
    assert contents(out) == before
