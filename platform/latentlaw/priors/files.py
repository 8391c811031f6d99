"""Affinity tables from files: every cell checked, rows and columns aligned by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.errors import DataError, nearest_hint
from latentlaw.priors.table import AffinityTable, Matrix

# Published tables differ from their transpose by up to 0.17 where noise does it; a larger
# difference is a mistake in one of the two cells.
ASYMMETRY_LIMIT = 0.2


def read_affinity(path: str | Path) -> AffinityTable:
    """Read an affinity table of classes.

    A CSV has a header of class names and a square of numbers; a first column of row names is
    accepted, and then rows are put into the header's order. A `.npy` array goes with a text file
    of the same name, `NAME.txt`, one class per line.

    Asymmetry within `ASYMMETRY_LIMIT` is kept; `project` takes it out.

    Raises
    ------
    DataError
        Naming row and column, if the table is not square, has text or NaN, a diagonal other than
        1, a value outside [-1, 1], mirrored cells that differ by more than the limit, or row
        names that are not those of the columns.
    """
    path = Path(path)
    names, cells = _read_array(path) if path.suffix == ".npy" else _read_csv(path)
    for name in names:
        if not name or names.count(name) > 1:
            found = "twice" if name else "without a name"
            raise DataError(
                f"{path}: header: found class {name!r} {found}, expected a name each; rename it"
            )
    if cells.shape != (len(names), len(names)):
        raise DataError(_not_square(path, names, cells.shape))
    values = pd.DataFrame(cells).apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    _check_cells(path, names, cells, values)
    return AffinityTable(tuple(names), values)


def write_affinity(path: str | Path, table: AffinityTable) -> None:
    """Write an affinity CSV without an index column."""
    pd.DataFrame(table.values, columns=list(table.class_names)).to_csv(path, index=False)


def _read_csv(path: Path) -> tuple[list[str], NDArray[Any]]:
    """Return class names and cells `(rows, classes)` as text, rows in the order of the names."""
    try:
        frame = pd.read_csv(
            path,
            header=None,
            dtype=str,
            na_filter=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as an affinity CSV ({error}); expected a header of class "
            "names and a row of numbers per class"
        ) from error
    text = frame.to_numpy(dtype=str)
    header, cells = text[0].tolist(), text[1:]
    if not _are_row_names(cells[:, 0], header):
        return header, cells
    return header[1:], cells[_row_order(path, cells[:, 0].tolist(), header[1:]), 1:]


def _are_row_names(first: NDArray[np.str_], header: list[str]) -> bool:
    """Tell row names from a class's similarities; classes may be named by numbers."""
    if not header[0] or sorted(first) == sorted(header[1:]):
        return True
    return (
        len(first) > 0 and not np.isfinite(pd.to_numeric(pd.Series(first), errors="coerce")).any()
    )


def _row_order(path: Path, rows: list[str], names: list[str]) -> list[int]:
    """Return the place of each class among the rows."""
    for name in rows:
        if name not in names:
            raise DataError(
                f"{path}: found row {name!r} and no such column{nearest_hint(name, names)}, "
                "expected the row names to be those of the header, or no column of row names"
            )
    missing = [name for name in names if rows.count(name) != 1]
    if missing:
        raise DataError(
            f"{path}: found {rows.count(missing[0])} rows of column {missing[0]!r}, expected one"
        )
    return [rows.index(name) for name in names]


def _read_array(path: Path) -> tuple[list[str], NDArray[Any]]:
    names = path.with_suffix(".txt")
    try:
        values = np.load(path, allow_pickle=False)
        return names.read_text(encoding="utf-8").splitlines(), values
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as an affinity ({error}); expected an array of numbers, and "
            f"its class names, one per line, in {names.name}"
        ) from error


def _not_square(path: Path, names: list[str], shape: tuple[int, ...]) -> str:
    rows = shape[0] if shape else 0
    cell = f"; row {names[rows]!r} is missing" if len(shape) == 2 and rows < len(names) else ""
    return (
        f"{path}: found shape {shape} for {len(names)} classes{cell}, expected a row and a column "
        "a class"
    )


def _check_cells(path: Path, names: list[str], cells: NDArray[Any], values: Matrix) -> None:
    with np.errstate(invalid="ignore"):  # infinite cells are named below
        difference = np.abs(values - values.T)
    for bad, expected in (
        (~np.isfinite(values), "a number"),
        (np.abs(values) > 1 + 1e-6, "a value in [-1, 1]"),
        (np.diag(np.abs(np.diag(values) - 1) > 1e-3), "1 on the diagonal"),
        (difference > ASYMMETRY_LIMIT, "the mirrored cell's {mirrored}"),
    ):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            wanted = expected.format(mirrored=cells[column, row])
            raise DataError(
                f"{path}: row {names[row]!r}, column {names[column]!r}: found "
                f"{str(cells[row, column])!r}, expected {wanted}; correct the cell"
            )
