"""Whether the tests of the scorecard can fail: each guard is taken out, and its row must go red.

`python -m tests.mutations [ROW …]` does so in a copy of the tree, for all rows or those named, and
prints row, guard, and `red` or `GREEN`; it ends with 0 if all were red. `guards.toml` lists the
guards, and for one whose row takes minutes the `test` of that row that shows it. `--write` puts
what was seen into docs/scorecard.md.
"""

import compileall
import importlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[1]
GUARDS, PAGE = ROOT / "tests" / "guards.toml", ROOT / "docs" / "scorecard.md"
TESTS = "tests/reliability"
RED, GREEN, STALE, BROKEN = "red", "GREEN", "STALE", "BROKEN"
_PACKAGE = "platform/latentlaw"
_OURS = {"latentlaw", "pipelines", "dashboards", "tests"}
_LIBRARIES = (
    *("torch", "mlflow.pyfunc", "dask.distributed", "zarr", "sklearn.mixture", "skimage.io"),
    *("sympy", "optuna", "pyarrow.parquet", "hypothesis", "scipy.optimize", "matplotlib.pyplot"),
)
_OUTCOMES = {0: GREEN, 1: RED}  # pytest's exit codes; others say that nothing was tested


@dataclass(frozen=True)
class Guard:
    """Code without which a row's tests must fail: `old` in `file`, replaced by `new`."""

    row: int
    file: str
    what: str
    old: str
    new: str
    test: str = ""  # the one that must fail; by default any of the row

    @property
    def path(self) -> str:
        """Return the file's path in the repository."""
        top = self.file.partition("/")[0]
        return self.file if top in ("pipelines", "dashboards") else f"{_PACKAGE}/{self.file}"

    def taken_out(self, tree: Path) -> str | None:
        """Return the file's text without the guard; None if it does not hold it exactly once."""
        text = (tree / self.path).read_text()
        return text.replace(self.old, self.new) if text.count(self.old) == 1 else None

    def tests(self, tree: Path = ROOT) -> list[str]:
        """Return what of the row is run without it: its test, or every file."""
        files = files_of_row(self.row, tree)
        if not self.test:
            return files
        defined = re.compile(rf"^def {self.test}\b", re.MULTILINE)
        return [
            f"{file}::{self.test}" for file in files if defined.search((tree / file).read_text())
        ]


@dataclass(frozen=True)
class Row:
    """A row of the scorecard: what must happen, and what makes it happen."""

    number: int
    fault: str
    must: str
    guards: tuple[Guard, ...]

    def tests(self, tree: Path = ROOT) -> list[str]:
        """Return what must pass with every guard in place: all that is run without one."""
        return sorted({test for guard in self.guards for test in guard.tests(tree)})


def files_of_row(row: int, tree: Path = ROOT) -> list[str]:
    """Return the files of a row's tests."""
    found = (tree / TESTS).glob(f"test_row_{row:02d}_*.py")
    return sorted(str(path.relative_to(tree)) for path in found)


def read_rows(path: Path = GUARDS) -> list[Row]:
    """Read the list of guards."""
    rows = tomllib.loads(path.read_text())["row"]
    return [
        Row(
            row["number"],
            row["fault"],
            row["must"],
            tuple(Guard(row["number"], **guard) for guard in row.get("guard", [])),
        )
        for row in rows
    ]


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Yield a copy of the repository's files, compiled so that a changed one is compiled anew."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    with TemporaryDirectory(prefix="mutations-") as scratch:
        tree = Path(scratch) / "tree"
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        # By its hash: a file that is changed and restored within a second keeps its time and size.
        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(tree, quiet=2, invalidation_mode=by_hash)
        yield tree


def outcome(tree: Path, guard: Guard) -> tuple[str, str]:
    """Take a guard out, test, and put it back; return how the tests ended and which failed."""
    path = tree / guard.path
    whole, changed = path.read_text(), guard.taken_out(tree)
    if changed is None:
        return STALE, f"{guard.path} holds it {whole.count(guard.old)} times"
    path.write_text(changed)
    try:
        code, said = tested(tree, guard.tests(tree))
    finally:
        path.write_text(whole)
    told = re.findall(r"^(?:FAILED|ERROR) .*", said, re.MULTILINE)
    return _OUTCOMES.get(code, BROKEN), told[0] if told else said[-160:]


def tested(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests of a tree in a fork of this process; return pytest's exit code and output."""
    log = tree.parent / "log"
    child = os.fork()
    if child == 0:
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            _move_to(tree)
            options = ["-q", "-x", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
            code = pytest.main([*options, f"--basetemp={tree.parent / 'pytest'}", *tests])
            sys.stdout.flush()
            os._exit(code)
        finally:
            os._exit(pytest.ExitCode.INTERNAL_ERROR)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), log.read_text()


def _move_to(tree: Path) -> None:
    """Make this process one that was started in `tree`, and has imported nothing of it."""
    os.chdir(tree)
    own = [str(tree / "platform"), str(tree)]
    os.environ["PYTHONPATH"] = os.pathsep.join(own)
    places = [Path(each or ".") for each in sys.path]
    libraries = [p for p in places if p.is_relative_to(sys.prefix) or not p.is_relative_to(ROOT)]
    sys.path[:] = own + [str(place) for place in libraries]
    importlib.invalidate_caches()
    for name in [each for each in sys.modules if each.partition(".")[0] in _OURS]:
        del sys.modules[name]


def import_libraries() -> None:
    """Import what takes seconds before any fork does."""
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    sys.dont_write_bytecode = True
    for name in _LIBRARIES:
        importlib.import_module(name)


def render(rows: Sequence[Row], seen: Mapping[Guard, str]) -> str:
    """Return the page that lists rows, guards, and what was seen without each."""
    lines = [_HEAD]
    for row in rows:
        tests = "<br>".join(f"`{Path(name).name}`" for name in files_of_row(row.number))
        guards = "<br>".join(_told(guard) + seen.get(guard, "not tried") for guard in row.guards)
        lines.append(f"{_start(row)}{row.fault} | {row.must} | {tests} | {guards} |")
    return "\n".join([*lines, ""])


def seen_before(rows: Sequence[Row], page: Path = PAGE) -> dict[Guard, str]:
    """Return what the page says of each guard that it still lists."""
    lines = page.read_text().splitlines() if page.exists() else []
    found = {}
    for row in rows:
        text = next((line for line in lines if line.startswith(_start(row))), "")
        for guard in row.guards:
            told = re.search(
                re.escape(_told(guard)) + f"({RED}|{GREEN}|{STALE}|{BROKEN})(?=<br>| \\|)", text
            )
            if told:
                found[guard] = told[1]
    return found


def _start(row: Row) -> str:
    return f"| {row.number} | "


def _told(guard: Guard) -> str:
    return f"`{guard.file}`: {guard.what}: "


def main(arguments: list[str]) -> int:
    """Take out the guards of the rows named, or of all; return 0 if each was missed."""
    rows = read_rows()
    named = [int(each) for each in arguments if each.isdecimal()]
    chosen = [row for number in named for row in rows if row.number == number] or rows
    bad = 0
    import_libraries()
    with copied_tree() as tree:
        for row in chosen:
            seen = try_row(row, tree)
            bad += sum(each != RED for each in seen.values())
            if "--write" in arguments:
                # Read again: another process may have written what it saw of other rows.
                PAGE.write_text(render(rows, seen_before(rows) | seen))
    return 1 if bad else 0


def try_row(row: Row, tree: Path) -> dict[Guard, str]:
    """Take out each guard of a row in turn; print and return what was seen."""
    code, said = tested(tree, row.tests(tree))
    if code != pytest.ExitCode.OK:
        print(f"{row.number:2} {BROKEN} with every guard in place\n{said[-600:]}", flush=True)
        return dict.fromkeys(row.guards, BROKEN)
    seen = {}
    for guard in row.guards:
        seen[guard], told = outcome(tree, guard)
        print(f"{row.number:2} {seen[guard]:6} {guard.file}: {guard.what}", flush=True)
        print(f"   {told[:160]}", flush=True)
    return seen


_HEAD = """\
# The scorecard

Sixty-four faults and bad inputs, what must happen for each, and the test that holds it. A test
that cannot fail holds nothing, so each was seen to fail: a guard was taken out of the code, which
is named here, and the row's tests were run. `make scorecard` prints how many rows are met;
`make mutations` (tens of minutes) takes out every guard again, in a copy of the tree, and
`python -m tests.mutations ROW …` those of some rows. The guards are in `tests/guards.toml`.

| # | fault or bad input | must happen | in `tests/reliability` | guard, and its test without it |
|---|---|---|---|---|"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
