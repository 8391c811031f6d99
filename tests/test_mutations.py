"""The list of guards is up to date, and the page says of each that its row went red without it."""

import subprocess
import sys
from pathlib import Path

from tests.mutations import PAGE, RED, Guard, Row, files_of_row, read_rows, render, seen_before
from tests.scorecard import ROWS

ROOT = Path(__file__).parents[1]
_AGAIN = "python -m tests.mutations ROW … --write"


def test_every_row_has_tests_and_a_guard_that_is_there() -> None:
    rows = read_rows()
    assert [row.number for row in rows] == list(range(1, ROWS + 1))
    for row in rows:
        assert files_of_row(row.number), row.number
        assert row.guards, row.number
        for guard in row.guards:
            assert guard.tests(), f"row {row.number}, {guard.what}: no {guard.test}"
            assert guard.taken_out(ROOT) is not None, f"row {row.number}, {guard.what}: stale"


def test_the_page_lists_each_guard_and_no_row_that_stayed_green() -> None:
    rows = read_rows()
    seen = seen_before(rows)
    assert PAGE.read_text() == render(rows, seen), f"run {_AGAIN}"
    assert set(seen.values()) == {RED}


def test_each_guard_was_tried() -> None:
    rows = read_rows()
    seen = seen_before(rows)
    untried = {row.number for row in rows for guard in row.guards if guard not in seen}
    assert not untried, f"run {_AGAIN} of these rows"


def test_a_guard_of_two_rows_is_tried_in_each() -> None:
    first, second = (
        Row(n, "", "", (Guard(n, "pipelines/limits.py", "limit", "3", "9"),)) for n in (1, 2)
    )
    page = render([first, second], {first.guards[0]: RED})
    assert page.count("not tried") == 1


def test_a_test_that_cannot_fail_is_seen(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tests = tree / "tests" / "reliability"
    tests.mkdir(parents=True)
    (tree / "pipelines").mkdir()
    (tree / "pipelines" / "limits.py").write_text("LIMIT = 3\n")
    (tests / "test_row_01_good.py").write_text(
        "from pipelines.limits import LIMIT\ndef test_it():\n    assert LIMIT == 3\n"
        "def test_else():\n    assert LIMIT > 0\n"
    )
    # It asks nothing of the code, so it stays green whatever is taken out of that.
    (tests / "test_row_02_idle.py").write_text(
        "LIMIT = 3\ndef test_it():\n    assert LIMIT == 3\n"
    )
    # In a process of its own: it forks, and one pytest within another does not end.
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tree)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["red", "GREEN", "STALE", "GREEN"]
    assert (tree / "pipelines" / "limits.py").read_text() == "LIMIT = 3\n"


_PROGRAM = """
import sys
import subprocess
import sys
from pathlib import Path
from tests.mutations import Guard, outcome

tree = Path(sys.argv[1])
for row, limit, test in ((1, 3, ""), (2, 3, ""), (1, 4, ""), (1, 3, "test_else")):
    guard = Guard(row, "pipelines/limits.py", "", f"LIMIT = {limit}", "LIMIT = 9", test)
    print(outcome(tree, guard)[0], flush=True)
"""
