"""What a measurement found: rows, and the record of how, when and where they were made."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results"


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes
    ----------
    measure
        What it is of.
    got
        The number, in `unit`; None where it is not defined.
    seeds
        What single seeds or repeats gave, where `got` is their mean.
    at_least, at_most
        What was asked, if anything was.
    beside
        What the number is to be seen beside: chance, a peer, an interval.
    column
        Rows of a table with columns are cells, one a measure and column.
    table
        What the measures of a table are; rows of another table have another.
    """

    measure: str
    got: float | None
    unit: str = ""
    seeds: tuple[float, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    beside: str = ""
    column: str = ""
    table: str = "measure"

    @property
    def met(self) -> bool:
        """Whether what was asked was got; true where nothing was asked."""
        if self.at_least is None and self.at_most is None:
            return True
        return (
            self.got is not None
            and (self.at_least is None or self.got >= self.at_least)
            and (self.at_most is None or self.got <= self.at_most)
        )


def over_seeds(measure: str, seeds: Sequence[float], **other: Any) -> Row:
    """Return the row of a mean over seeds, which it names if there are several."""
    told = tuple(seeds) if len(seeds) > 1 else ()
    return Row(measure, fmean(seeds), seeds=told, **other)


@dataclass(frozen=True)
class Record:
    """Rows, and what a reader needs to make them again or to doubt them.

    Attributes
    ----------
    commands
        What was run, from the repository's root; of runs that differ by seed alone, one. Empty
        where `python -m tests.results NAME` measured all itself.
    date
        Day of the measurement, YYYY-MM-DD, UTC.
    commit
        The newest that changed `platform/` or `pipelines/`.
    seconds, cores, load
        Wall time of all, cores that it might use, and the load of the machine before it.
    machine
        The processor, the GPU if one could be used, and the version of torch.
    by_hand
        Rows that were typed in, from a measurement before there were records.
    """

    commands: tuple[str, ...]
    date: str
    rows: tuple[Row, ...]
    commit: str = ""
    seconds: float | None = None
    cores: int | None = None
    load: float | None = None
    machine: str = ""
    by_hand: bool = False


def path_of(name: str) -> Path:
    """Where the record of a measurement is."""
    return FOLDER / f"{name}.json"


def write(name: str, record: Record) -> None:
    """Keep a record in place of the one before; what has its default is left out."""
    content = _without_defaults(record)
    content["rows"] = [_without_defaults(row) for row in record.rows]
    FOLDER.mkdir(exist_ok=True)
    path_of(name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read(name: str) -> Record | None:
    """Return the record of a measurement, None if it was never made."""
    path = path_of(name)
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    rows = tuple(
        Row(**{**row, "seeds": tuple(row.get("seeds", ()))}) for row in content.pop("rows")
    )
    return Record(**{**content, "commands": tuple(content["commands"]), "rows": rows})


def _without_defaults(thing: Record | Row) -> dict[str, Any]:
    defaults = {each.name: each.default for each in fields(thing)}
    return {key: value for key, value in asdict(thing).items() if value != defaults[key]}
