"""The score of `tests/reliability`: rows of 64 with a test, all of whose tests pass.

`python -m tests.scorecard [PYTEST OPTION …]` prints it, and the rows that fail, were skipped or
have no test; it ends with 0 at 63 or more.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROWS, ENOUGH = 64, 63
FOLDER = Path(__file__).parent / "reliability"


class Outcomes:
    """A pytest plugin that keeps how each row's tests ended."""

    def __init__(self) -> None:
        self.rows: dict[int, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = row_of(report.nodeid)
        if row is not None and (report.when == "call" or report.outcome != "passed"):
            self.rows[row].add(report.outcome)


def row_of(nodeid: str) -> int | None:
    """Return the row that a test's file is named after."""
    found = re.search(r"test_row_(\d+)_", nodeid)
    return int(found[1]) if found else None


def failing(rows: dict[int, set[str]]) -> dict[int, str]:
    """Return, for each row that does not count, why."""
    reasons = {}
    for row in range(1, ROWS + 1):
        outcomes = rows.get(row, set())
        if "failed" in outcomes:
            reasons[row] = "a test fails"
        elif "passed" not in outcomes:
            reasons[row] = "its tests were skipped" if outcomes else "no test"
    return reasons


def main(options: list[str]) -> int:
    """Run the tests and print the score."""
    outcomes = Outcomes()
    pytest.main(["-q", *options, str(FOLDER)], plugins=[outcomes])
    reasons = failing(outcomes.rows)
    for row, reason in reasons.items():
        print(f"row {row}: {reason}")
    score = ROWS - len(reasons)
    print(f"scorecard: {score} of {ROWS}")
    return 0 if score >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
