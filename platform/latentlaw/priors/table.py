"""Affinity tables: read, check, and make reachable as latent cosines."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.errors import DataError, nearest_hint

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class AffinityTable:
    """Similarities of classes, `values` `(classes, classes)` in [-1, 1] with diagonal 1."""

    class_names: tuple[str, ...]
    values: Matrix

    def select(self, class_names: list[str]) -> "AffinityTable":
        """Return the table of `class_names`, in that order.

        Raises
        ------
        DataError
            If a class of the data is not in the table; names must match exactly.
        """
        for name in class_names:
            if name not in self.class_names:
                raise DataError(
                    f"affinity: class {str(name)!r} of the data is not in the table"
                    f"{nearest_hint(name, self.class_names)}; it holds "
                    f"{len(self.class_names)} classes: {', '.join(self.class_names[:8])}, …"
                )
        rows = [self.class_names.index(name) for name in class_names]
        return AffinityTable(tuple(class_names), self.values[np.ix_(rows, rows)])

    @property
    def asymmetry(self) -> float:
        """Largest difference between A and its transpose."""
        return float(np.abs(self.values - self.values.T).max())

    @property
    def smallest_eigenvalue(self) -> float:
        """Smallest eigenvalue of the symmetrised table; cosines can meet it only if >= 0."""
        return float(np.linalg.eigvalsh(symmetrise(self.values))[0])


def read_affinity(path: str | Path) -> AffinityTable:
    """Read an affinity CSV: header of class names, square; an index column is accepted.

    Asymmetry is kept, since published tables have it; `project` takes it out.

    Raises
    ------
    DataError
        Naming the cell, if the table is not square, has text or NaN, a diagonal other than 1,
        a value outside [-1, 1], or an index that does not match the header.
    """
    try:
        frame = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable affinity CSV ({error})") from error
    names = [str(column).strip() for column in frame.columns]
    if names[0] in ("", "Unnamed: 0"):
        index = [str(value).strip() for value in frame.iloc[:, 0]]
        names, frame = names[1:], frame.iloc[:, 1:]
        if sorted(index) != sorted(names):
            raise DataError(f"{path}: row names {index[:4]}… differ from the header {names[:4]}…")
        frame = frame.iloc[[index.index(name) for name in names]]
    if len(names) != len(frame):
        raise DataError(f"{path}: {len(frame)} rows for {len(names)} classes; expected a square")
    if len(set(names)) != len(names):
        raise DataError(f"{path}: a class name stands twice in the header")
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    table = AffinityTable(tuple(names), values)
    _check_cells(path, table)
    return table


def _check_cells(path: str | Path, table: AffinityTable) -> None:
    values = table.values
    off_diagonal_one = np.eye(len(values), dtype=bool) & (np.abs(values - 1) > 1e-3)
    for bad, expected in (
        (~np.isfinite(values), "a number"),
        (np.abs(values) > 1 + 1e-6, "a value in [-1, 1]"),
        (off_diagonal_one, "1 on the diagonal"),
    ):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(
                f"{path}: row {table.class_names[row]!r}, column {table.class_names[column]!r}: "
                f"found {values[row, column]:g}, expected {expected}"
            )


def write_affinity(path: str | Path, table: AffinityTable) -> None:
    """Write an affinity CSV without an index column."""
    pd.DataFrame(table.values, columns=list(table.class_names)).to_csv(path, index=False)


def symmetrise(values: Matrix) -> Matrix:
    """Return the mean of a matrix and its transpose, with diagonal 1."""
    symmetric = (values + values.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    return symmetric


def project(table: AffinityTable, *, tolerance: float = 1e-8, rounds: int = 500) -> AffinityTable:
    """Return the nearest correlation matrix: symmetric, diagonal 1, positive semidefinite.

    Only such a table can be met by cosines. Alternating projections with Dykstra's correction
    (Higham 2002, IMA J. Numer. Anal. 22, algorithm 3.3).
    """
    y = symmetrise(table.values)
    correction = np.zeros_like(y)
    for _ in range(rounds):
        shifted = y - correction
        eigenvalues, vectors = np.linalg.eigh(shifted)
        x = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
        correction = x - shifted
        previous, y = y, symmetrise(x)
        if np.abs(y - previous).max() < tolerance:
            break
    return AffinityTable(table.class_names, np.clip(y, -1, 1))
