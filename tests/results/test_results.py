"""The page of results is what its records render, and what it names exists."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.results import __main__ as command
from tests.results import page, records
from tests.results.catalogue import MEASUREMENTS, SPEED, Measurement
from tests.results.records import FOLDER, ROOT, Record, Row, over_seeds
from tests.results.scratch import AbsentError, Scratch

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
RECORD = Record(
    commands=("python -m tests.results one",),
    date="2026-11-26",
    rows=(Row("speed", 1.5, "x", at_least=2.0, beside="peer"), Row("size", 3.0)),
    commit="abc1234",
    seconds=90.0,
    cores=1,
    load=0.5,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep records, template and page in a folder of the test's own."""
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    for name in ("TEMPLATE", "PAGE"):
        monkeypatch.setattr(page, name, tmp_path / name)
    monkeypatch.setattr(command, "PAGE", tmp_path / "PAGE")
    page.TEMPLATE.write_text("# Page\n\n<!-- gaps -->\n\n## A part\n\n<!-- one -->\n")
    return tmp_path


def test_page_is_what_the_records_render() -> None:
    assert page.PAGE.read_text() == page.rendered(), "run python -m tests.results --page"


def test_every_measurement_is_on_the_page_and_every_record_is_of_one() -> None:
    assert set(page.marked(page.TEMPLATE.read_text())) == set(MEASUREMENTS)
    assert set(NAMES) <= set(MEASUREMENTS)
    assert set(SPEED) <= set(MEASUREMENTS)


def commands() -> Iterator[str]:
    for name in NAMES:
        record = records.read(name)
        assert record is not None
        yield from record.commands


@pytest.mark.parametrize("text", sorted(set(commands())))
def test_commands_exist(text: str) -> None:
    program, *arguments = shlex.split(text)
    if program == "python":
        assert arguments[0] == "-m"
        assert find_spec(arguments[1]) is not None
    elif program == "make":
        assert re.search(rf"^{re.escape(arguments[-1])}:|^\$\(READY\):", makefile(), re.MULTILINE)
    elif program == "pytest":
        assert all(list(ROOT.glob(path)) for path in arguments if path.startswith("tests/"))
    else:  # what is told to entries is held by tests/docs/test_commands.py
        assert program in ("mlflow", "git")


def makefile() -> str:
    return (ROOT / "Makefile").read_text()


def test_a_record_is_read_as_it_was_written(folder: Path) -> None:
    row = over_seeds("accuracy", [0.5, 1.0], column="ours", at_most=0.9)
    assert (row.got, row.seeds, row.met) == (0.75, (0.5, 1.0), True)
    record = replace(RECORD, rows=(*RECORD.rows, row, Row("nothing", None, at_least=1)))
    records.write("one", record)
    assert records.read("one") == record
    assert records.read("two") is None


@pytest.mark.parametrize(
    ("got", "bounds", "met"),
    [
        (1.0, {}, True),
        (None, {}, True),
        (None, {"at_most": 1.0}, False),
        (1.0, {"at_least": 1.0, "at_most": 1.0}, True),
        (0.9, {"at_least": 1.0}, False),
        (1.1, {"at_most": 1.0}, False),
    ],
)
def test_what_was_asked_is_met(got: float | None, bounds: dict[str, float], met: bool) -> None:
    assert Row("x", got, **bounds).met is met


def test_gaps_come_first_with_their_part_of_the_page(folder: Path) -> None:
    records.write("one", RECORD)
    lines = page.rendered().splitlines()
    assert lines[4] == "| [A part](#a-part) | speed | 1.500 x | >= 2 x |"
    assert "| speed | 1.500 x | >= 2 x, **not met** | peer |" in lines
    assert "| size | 3 |  |  |" in lines
    assert (
        "`python -m tests.results one`: 2026-11-26, commit abc1234, 2 min on 1 core, "
        "load 0.5 before." in lines
    )


def test_a_row_a_measure_where_there_are_columns(folder: Path) -> None:
    rows = (
        over_seeds("error", [1.0, 3.0], column="ours", at_most=1.5),
        Row("error", 4.0, column="theirs"),
        Row("size", 7.0, column="theirs"),
    )
    records.write("one", replace(RECORD, rows=rows, by_hand=True))
    text = page.rendered()
    assert "| measure | ours | theirs |" in text
    assert "| error | 2 (1, 3); asked <= 1.5, **not met** | 4 |" in text
    assert "| size |  | 7 |" in text
    assert "Entered by hand, measured 2026-11-26" in text
    assert "Still entered by hand, 1 of 1 parts: one." in text


def test_what_fails_or_lacks_its_data_keeps_its_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(_scratch: Scratch) -> Iterator[Row]:
        yield Row("x", 1.0)
        raise AbsentError("../shared/data/cells is absent")

    monkeypatch.setitem(command.MEASUREMENTS, "one", Measurement(absent, 1))
    monkeypatch.setattr("tests.results.scratch.ROOT", folder)
    records.write("one", RECORD)
    assert command.main(["one"]) == 1
    assert records.read("one") == RECORD
    told = capsys.readouterr().err
    assert "its record of 2026-11-26 stays: ../shared/data/cells is absent" in told


def test_a_record_says_what_was_run_while_its_rows_were_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(scratch: Scratch) -> Iterator[Row]:
        scratch.run(["true"])
        yield Row("x", 1.0)

    monkeypatch.setitem(command.MEASUREMENTS, "one", Measurement(measured, 1))
    monkeypatch.setattr("tests.results.scratch.ROOT", folder)
    assert command.main(["one"]) == 0
    record = records.read("one")
    assert record is not None
    assert (record.commands, record.rows) == (("true",), (Row("x", 1.0),))
    assert page.rendered() == page.PAGE.read_text()


def test_a_command_that_fails_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.results.scratch.ROOT", tmp_path)
    scratch = Scratch("x")
    said = scratch.run(["bash", "-c", "echo out; echo seed=3 >&2"], seed=3)
    assert said == "out\n"
    assert scratch.commands == ["bash -c 'echo out; echo seed=$SEED >&2'"]
    with pytest.raises(RuntimeError, match="exit code 3\nwhy"):
        scratch.run(["bash", "-c", "echo why >&2; exit 3"])
    with pytest.raises(AbsentError, match="cells is absent"):
        scratch.data("cells")
