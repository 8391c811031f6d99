"""Affinity tables: checked cell by cell, made reachable, computed from shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.phantoms import PHANTOMS, phantom_map
from latentlaw.errors import DataError
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images
from latentlaw.priors.descriptors import harmonics_affinity, power_spectrum
from latentlaw.priors.table import AffinityTable, project, read_affinity, write_affinity


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "affinity.csv"
    path.write_text(text)
    return path


def test_table_survives_a_round_trip_with_and_without_index(tmp_path: Path) -> None:
    table = AffinityTable(("a", "b"), np.array([[1, 0.25], [0.25, 1]]))
    path = tmp_path / "t.csv"
    write_affinity(path, table)
    np.testing.assert_allclose(read_affinity(path).values, table.values)
    indexed = write(tmp_path, ",a,b\nb,0.5,1\na,1,0.5\n")  # rows in another order than columns
    np.testing.assert_allclose(read_affinity(indexed).values, [[1, 0.5], [0.5, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,0.5\n", "1 rows for 2 classes"),
        ("a,b\n1,x\n0.5,1\n", "row 'a', column 'b': found nan, expected a number"),
        ("a,b\n1,2\n2,1\n", r"found 2, expected a value in \[-1, 1\]"),
        ("a,b\n0.5,0\n0,1\n", "row 'a', column 'a': found 0.5, expected 1 on the diagonal"),
        (",a,b\na,1,0\nc,0,1\n", "row names"),
    ],
)
def test_bad_tables_are_refused_with_the_cell(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_affinity(write(tmp_path, text))


def test_class_that_is_not_in_the_table_is_named_with_the_nearest(tmp_path: Path) -> None:
    table = read_affinity(write(tmp_path, "1s3x,1s3\n1,0\n0,1\n"))
    with pytest.raises(DataError, match="'1S3x' of the data is not in the table"):
        table.select(["1S3x"])
    assert table.select(["1s3"]).class_names == ("1s3",)


@given(st.integers(2, 8), st.integers(0, 500))
def test_projection_is_a_correlation_matrix_and_leaves_one_as_it_is(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    table = AffinityTable(tuple(map(str, range(n))), generator.uniform(-1, 1, (n, n)))
    projected = project(table)
    assert projected.smallest_eigenvalue > -1e-4
    np.testing.assert_allclose(np.diag(projected.values), 1)
    again = project(projected)
    np.testing.assert_allclose(again.values, projected.values, atol=1e-3)


def test_projection_agrees_with_higham() -> None:
    # The example of Higham (2002), section 4.
    table = AffinityTable(("a", "b", "c"), np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(project(table).values, expected, atol=1e-3)


def test_power_spectrum_does_not_turn_with_the_map() -> None:
    volume = torch.from_numpy(phantom_map(PHANTOMS["bilobe"](), 32, 10.0))[None, None]
    turned = rotate_images(volume, random_rotations(1, 3, torch.Generator().manual_seed(3)))
    before = power_spectrum("a", volume[0, 0].numpy())
    after = power_spectrum("b", turned[0, 0].numpy())
    assert float(before @ after) > 0.995


def test_near_relatives_are_nearest_of_the_barrels() -> None:
    maps = {name: phantom_map(make(), 32, 10.0) for name, make in PHANTOMS.items()}
    table = harmonics_affinity(maps)
    row = dict(
        zip(table.class_names, table.values[table.class_names.index("barrel")], strict=True)
    )
    del row["barrel"]
    assert max(row, key=lambda name: row[name]) == "capped_barrel"
    assert table.smallest_eigenvalue > -1e-9


def test_reference_table_cannot_be_met_by_cosines_until_projected(shared_data: Path) -> None:
    table = read_affinity(shared_data / "subtomograms" / "affinity_fsc.csv")
    assert table.asymmetry == pytest.approx(0.17, abs=0.01)
    assert table.smallest_eigenvalue == pytest.approx(-46, abs=0.5)
    four = table.select(["1b23", "1dfo", "1dkg", "1e3p"])
    assert project(four).smallest_eigenvalue > -1e-6


def test_empty_map_is_refused() -> None:
    with pytest.raises(DataError, match="no positive density"):
        harmonics_affinity({"a": np.zeros((8, 8, 8)), "b": np.ones((8, 8, 8))})
