"""The score counts a row only if a test of it ran and none failed."""

from tests.scorecard import failing, row_of


def test_a_row_counts_when_a_test_of_it_passed_and_none_failed() -> None:
    rows = {row: {"passed"} for row in range(1, 65)}
    assert failing(rows) == {}
    rows |= {3: {"passed", "failed"}, 4: {"skipped"}, 5: {"passed", "skipped"}}
    del rows[64]
    assert failing(rows) == {3: "a test fails", 4: "its tests were skipped", 64: "no test"}


def test_rows_are_read_off_file_names() -> None:
    assert row_of("tests/reliability/test_row_07_not_one_volume.py::test_x[1]") == 7
    assert row_of("tests/reliability/test_reference_faults.py::test_x") is None
