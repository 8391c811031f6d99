"""Make the page of results of its template and the records: gaps first, sources with numbers.

In the template a line `<!-- NAME -->` stands for the record NAME, and `<!-- gaps -->` for every
row that is not what was asked, and the records that no measurement made.
"""

import re
from pathlib import Path

from latentlaw.tracking.markdown import table

from tests.results.records import ROOT, Record, Row, read

TEMPLATE = Path(__file__).parent / "template.md"
PAGE = ROOT / "docs" / "results.md"
_MARK = re.compile(r"^<!-- ([a-z0-9_]+) -->\n", re.MULTILINE)
_HEADING = re.compile(r"^##+ (.*)$", re.MULTILINE)


def rendered() -> str:
    """Return the whole page."""
    template = TEMPLATE.read_text()
    return _MARK.sub(
        lambda mark: gaps(template) if mark[1] == "gaps" else shown(mark[1]), template
    )


def marked(template: str) -> dict[str, str]:
    """Return the records of a template, in order, and the heading that each is under."""
    found, heading = {}, ""
    for line in template.splitlines(keepends=True):
        if match := _HEADING.match(line):
            heading = match[1]
        elif (match := _MARK.match(line)) and match[1] != "gaps":
            found[match[1]] = heading
    return found


def gaps(template: str) -> str:
    """Write every row that is not what was asked, and what is older than its measurement."""
    found = {name: read(name) for name in marked(template)}
    missed = [
        [f"[{heading}](#{anchor(heading)})", _named(row), _got(row), _bounds(row)]
        for record, heading in zip(found.values(), marked(template).values(), strict=True)
        for row in (record.rows if record else ())
        if not row.met
    ]
    old = [name for name, record in found.items() if record is None or record.by_hand]
    told = f"\nStill entered by hand, {len(old)} of {len(found)} parts: {', '.join(old)}.\n"
    return table(["in", "what", "got", "asked"], missed) + (told if old else "")


def anchor(heading: str) -> str:
    """Return the fragment that links to a heading."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def shown(name: str) -> str:
    """Write a record: where its numbers are from, and its tables."""
    record = read(name)
    if record is None:
        return f"Not measured yet: `python -m tests.results {name}`.\n"
    tables = "\n".join(
        _table([row for row in record.rows if row.table == head], head)
        for head in dict.fromkeys(row.table for row in record.rows)
    )
    return f"{tables}\n{source(name, record)}"


def source(name: str, record: Record) -> str:
    """Write when and how a record was made."""
    commands = "".join(f"{command}\n" for command in record.commands)
    fence = f"\n```sh\n{commands}```\n" if commands else ""
    if record.by_hand:
        then = " by what is below" if commands else ""
        return (
            f"Entered by hand, measured {record.date}{then}; "
            f"`python -m tests.results {name}` measures it again.\n{fence}"
        )
    cores = f"{record.cores} core{'s' if record.cores != 1 else ''}"
    cores += f" ({record.machine})" if record.machine else ""
    load = "" if record.load is None else f", load {record.load} before"
    return (
        f"`python -m tests.results {name}`: {record.date}, commit {record.commit}, "
        f"{_duration(record.seconds or 0)} on {cores}{load}.\n{fence}"
    )


def _table(rows: list[Row], head: str) -> str:
    columns = list(dict.fromkeys(row.column for row in rows))
    if columns != [""]:
        cells = {(row.measure, row.column): _cell(row) for row in rows}
        measures = dict.fromkeys(row.measure for row in rows)
        lines = [[each, *(cells.get((each, c), "") for c in columns)] for each in measures]
        return table([head, *columns], lines)
    lines = [[r.measure, _got(r), _seeds(r), _asked(r), r.beside] for r in rows]
    kept = [k for k in range(5) if k < 2 or any(line[k] for line in lines)]
    titles = [head, "got", "each", "asked", "beside"]
    return table([titles[k] for k in kept], ([line[k] for k in kept] for line in lines))


def _cell(row: Row) -> str:
    each = f" ({_seeds(row)})" if row.seeds else ""
    beside = f" {row.beside}" if row.beside else ""
    asked = f"; asked {_asked(row)}" if _asked(row) else ""
    return f"{_got(row)}{each}{beside}{asked}"


def _named(row: Row) -> str:
    return f"{row.measure}, {row.column}" if row.column else row.measure


def _got(row: Row) -> str:
    return f"{_number(row.got)}{_unit(row)}"


def _asked(row: Row) -> str:
    return _bounds(row) if row.met else f"{_bounds(row)}, **not met**"


def _bounds(row: Row) -> str:
    bounds = [(">=", row.at_least), ("<=", row.at_most)]
    return " and ".join(
        f"{sign} {bound:,g}{_unit(row)}" for sign, bound in bounds if bound is not None
    )


def _seeds(row: Row) -> str:
    return ", ".join(map(_number, row.seeds))


def _unit(row: Row) -> str:
    return f" {row.unit}" if row.unit else ""


def _number(value: float | None) -> str:
    """Write a number with the digits that mean something."""
    if value is None:
        return "undefined"
    if value == int(value):
        return f"{int(value):,}"
    size = abs(value)
    places = 3 if size < 2 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:,.{places}f}" if size >= 0.01 else f"{value:.2g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
