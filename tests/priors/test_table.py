"""What latent cosines can reach of a table, and the nearest table that they can."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.priors.files import read_affinity
from latentlaw.priors.table import AffinityTable, project, projection_report


@given(st.integers(2, 8), st.integers(0, 500))
def test_projection_is_a_correlation_matrix_and_leaves_one_as_it_is(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    table = AffinityTable(tuple(map(str, range(n))), generator.uniform(-1, 1, (n, n)))
    projected = project(table)
    assert projected.smallest_eigenvalue > -1e-4
    np.testing.assert_allclose(np.diag(projected.values), 1)
    again = project(projected)
    np.testing.assert_allclose(again.values, projected.values, atol=1e-3)
    assert projected.floor < 1e-3


def test_projection_agrees_with_higham() -> None:
    # The example of Higham (2002), section 4.
    table = AffinityTable(("a", "b", "c"), np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(project(table).values, expected, atol=1e-3)


def test_floor_of_classes_that_all_repel_is_what_a_simplex_leaves() -> None:
    # Cosines of four classes can at best all be -1/3, so a table of -1 leaves 2/3.
    table = AffinityTable(tuple("abcd"), 2 * np.eye(4) - 1)
    assert table.floor == pytest.approx(2 / 3, abs=1e-3)


def test_report_of_a_reachable_table_is_of_no_change() -> None:
    values = np.array([[1, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]])
    table = AffinityTable(tuple("abc"), values)
    report = projection_report(table, project(table))
    assert report["asymmetry"] == 0
    assert report["floor"] < 1e-6
    assert report["projection_shift"] < 1e-6
    assert report["projection_spearman"] == pytest.approx(1)


def test_report_of_two_classes_has_no_order() -> None:
    table = AffinityTable(("a", "b"), np.array([[1, 0.4], [0.2, 1]]))
    report = projection_report(table, project(table))
    assert report["asymmetry"] == pytest.approx(0.2)
    assert np.isnan(report["projection_spearman"])


def test_reference_table_cannot_be_met_by_cosines_until_projected(shared_data: Path) -> None:
    table = read_affinity(shared_data / "subtomograms" / "affinity_fsc.csv")
    assert table.asymmetry == pytest.approx(0.17, abs=0.01)
    assert table.smallest_eigenvalue == pytest.approx(-46, abs=0.5)
    four = table.select(["1b23", "1dfo", "1dkg", "1e3p"])
    assert four.floor == pytest.approx(0.563, abs=0.002)
    assert project(four).smallest_eigenvalue > -1e-6


def test_projection_of_a_table_that_is_nearly_reachable_keeps_its_order(shared_data: Path) -> None:
    table = read_affinity(shared_data / "alphanumeric" / "affinity_an.csv")
    report = projection_report(table, project(table))
    assert report["smallest_eigenvalue"] < -2
    assert report["projection_spearman"] > 0.97
