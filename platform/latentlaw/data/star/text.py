"""STAR files as text, so that what is read can be written back token for token.

A row stays the line that it was; its tokens are looked at when they are asked for. So rows can be
chosen, and columns replaced or added, while blocks, comments, number formats, quotes and line
ends that are not concerned stay as they are. (`starfile` parses to numbers and writes them anew.)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.star.tokens import column_tokens, edited, tokens_of
from latentlaw.errors import DataError

_BLOCK = re.compile(r"\ufeff?\s*data_(\S*)\s*$")
_BATCH = 10_000


@dataclass(frozen=True)
class StarBlock:
    """A block: lines before its rows, one line per row, lines after.

    Attributes
    ----------
    columns
        Names of a loop's columns without the underscore; empty where the block is a list of
        names and values, which is all in `head`.
    source
        The file, for messages.
    """

    name: str
    head: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    tail: tuple[str, ...]
    source: str = "STAR"

    def table(self, names: Iterable[str]) -> pd.DataFrame:
        """Return the columns `names` as text, without quotes.

        Raises
        ------
        DataError
            If a row has another number of tokens than there are columns.
        """
        chosen = list(names)
        places = [self.columns.index(name) for name in chosen]
        values: list[list[str]] = [[] for _ in places]
        # In batches, so that the tokens of other columns do not pile up.
        for start in range(0, len(self.rows), _BATCH):
            tokens = [tokens_of(line) for line in self.rows[start : start + _BATCH]]
            self._check(tokens, start)
            for column, place in zip(values, places, strict=True):
                column.extend([row[place] for row in tokens])
        return pd.DataFrame(dict(zip(chosen, values, strict=True)), dtype=object)

    def _check(self, tokens: list[list[str]], start: int) -> None:
        """Refuse a row with another number of tokens than there are columns."""
        width = len(self.columns)
        for number, row in enumerate(tokens, start):
            if len(row) != width:
                raise DataError(
                    f"{self.source}: block {self.name or '(no name)'}: row {number}: found "
                    f"{len(row)} values, expected {width}, one per column: {' '.join(row)[:60]!r}"
                )

    def select(self, rows: NDArray[np.integer]) -> "StarBlock":
        """Return the block with the rows at `rows` `(k,)`, in this order."""
        return replace(self, rows=tuple(self.rows[row] for row in rows))

    def with_columns(self, values: Mapping[str, Sequence[object]]) -> "StarBlock":
        """Replace the columns that are there and append the others; all else stays.

        Raises
        ------
        DataError
            If a text holds a line break, or both kinds of quote.
        """
        if not values:
            return self
        texts = {name: column_tokens(column) for name, column in values.items()}
        added = [name for name in texts if name not in self.columns]
        places = {self.columns.index(name): texts[name] for name in texts if name in self.columns}
        # An empty first cell is the tab behind the row that is there.
        cells = [[""] * len(self.rows), *(texts[name] for name in added)]
        behind = map("\t".join, zip(*cells, strict=True))
        rows = []
        for number, (line, new) in enumerate(zip(self.rows, behind, strict=True)):
            old = {at: column[number] for at, column in places.items()}
            rows.append(edited(line, old, new))
        end = "\r" if self.head and self.head[-1].endswith("\r") else ""
        labels = [f"_{name} #{len(self.columns) + i}{end}" for i, name in enumerate(added, 1)]
        return replace(
            self,
            head=_insert(self.head, labels),
            columns=(*self.columns, *added),
            rows=tuple(rows),
        )


@dataclass(frozen=True)
class StarText:
    """A STAR file: its blocks in order; `source` names it in messages."""

    source: str
    blocks: tuple[StarBlock, ...]

    @property
    def particles(self) -> StarBlock:
        """The block of particles: the one of that name, else the first loop.

        Raises
        ------
        DataError
            If there is none, or it has no rows.
        """
        loops = [block for block in self.blocks if block.columns and block.name != "optics"]
        named = [block for block in loops if block.name == "particles"] or loops
        if not named or not named[0].rows:
            found = {block.name or "(no name)": list(block.columns) for block in self.blocks}
            raise DataError(
                f"{self.source}: found no particles, blocks with columns {found or 'none'}; "
                "expected a loop of them"
            )
        return named[0]

    @property
    def optics(self) -> StarBlock | None:
        """The block of optics groups, if there is one."""
        return next((b for b in self.blocks if b.name == "optics" and b.columns), None)

    def with_particles(self, block: StarBlock) -> "StarText":
        """Return the file with `block` in place of its particles."""
        old = self.particles
        return replace(self, blocks=tuple(block if b is old else b for b in self.blocks))

    def without_rows(self) -> list[tuple[object, ...]]:
        """Return what two files must have in common to become one: all but their particles."""
        particles = self.particles
        return [
            (block.name, block.columns, None if block is particles else _all_tokens(block))
            for block in self.blocks
        ]

    def __str__(self) -> str:
        return "\n".join(
            line for block in self.blocks for line in (*block.head, *block.rows, *block.tail)
        )


def read_star_text(path: str | Path) -> StarText:
    """Read a STAR file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        return parse_star(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a STAR file ({error})") from error


def parse_star(content: bytes, source: str) -> StarText:
    """Parse a STAR file's bytes; `encode_star` gives the same bytes back.

    Raises
    ------
    DataError
        If a column's name occurs twice in a loop.
    """
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    starts = [i for i, line in enumerate(lines) if "data_" in line and _BLOCK.match(line)]
    if not starts:
        return StarText(source, (StarBlock("", tuple(lines), (), (), (), source),))
    # What comes before the first block belongs to it, as its heading does to each other one.
    edges = [0, *starts[1:], len(lines)]
    blocks = [
        _parse_block(lines[low:high], start - low, source)
        for low, high, start in zip(edges, edges[1:], starts, strict=False)
    ]
    return StarText(source, tuple(blocks))


def encode_star(star: StarText) -> bytes:
    """Return the file's bytes."""
    return str(star).encode("utf-8", "surrogateescape")


def star_block(name: str, table: pd.DataFrame) -> StarBlock:
    """Make a loop of a table: floats with six decimals, text in quotes where it needs them."""
    columns = [str(column) for column in table]
    labels = [f"_{column} #{i}" for i, column in enumerate(columns, 1)]
    cells = [column_tokens(table[column]) for column in table]
    rows = tuple("\t".join(row) for row in zip(*cells, strict=True))
    return StarBlock(name, (f"data_{name}", "", "loop_", *labels), tuple(columns), rows, ("",))


def _parse_block(lines: list[str], start: int, source: str) -> StarBlock:
    """Parse the lines of one block, whose `data_` is line `start`."""
    match = _BLOCK.match(lines[start])
    name = match[1] if match else ""
    loop = next((i for i in range(start, len(lines)) if lines[i].strip() == "loop_"), None)
    if loop is None:
        return StarBlock(name, tuple(lines), (), (), (), source)
    first = loop + 1
    columns: list[str] = []
    while first < len(lines) and (lines[first].lstrip()[:1] in ("_", "#", "")):
        if lines[first].lstrip().startswith("_"):
            columns.append(lines[first].split()[0][1:])
        first += 1
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise DataError(
            f"{source}: block {name or '(no name)'}: found column {twice} twice, expected once; "
            "rename one"
        )
    rows = tuple(line for line in lines[first:] if _is_row(line))
    rest = tuple(line for line in lines[first:] if not _is_row(line))
    return StarBlock(name, tuple(lines[:first]), tuple(columns), rows, rest, source)


def _all_tokens(block: StarBlock) -> list[list[str]]:
    """Tokens of a loop's rows; of a list of names and values, its lines'."""
    return [tokens_of(line) for line in (block.rows if block.columns else block.head)]


def _is_row(line: str) -> bool:
    return not line.isspace() and line != "" and not line.lstrip().startswith("#")


def _insert(head: tuple[str, ...], labels: list[str]) -> tuple[str, ...]:
    """Put labels of new columns behind the last one there is."""
    last = max((i for i, line in enumerate(head) if line.strip().startswith("_")), default=-1)
    return (*head[: last + 1], *labels, *head[last + 1 :])
