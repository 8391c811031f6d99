"""Affinity tables, and what of them latent cosines can reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from latentlaw.errors import DataError, nearest_hint

Matrix = NDArray[np.float64]
_ROUNDS = 500
_TOLERANCE = 1e-8  # change of a value in a round, below which a projection has converged


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
                    f"affinity: found no class {str(name)!r} of the data"
                    f"{nearest_hint(name, self.class_names)}, expected it among the table's "
                    f"{len(self.class_names)}: {', '.join(self.class_names[:8])}, …"
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

    @property
    def floor(self) -> float:
        """Affinity loss that the nearest reachable table leaves; 0 if cosines can meet this one.

        The mean over pairs of classes of `|cos - A|`. The nearest table is so by squares, not by
        this loss, and has as many dimensions as it needs: a search for latents of lower loss
        found 0.563 for 0.563 on the reference's FSC table and 0.056 for 0.066 on its letters.
        """
        pairs = ~np.eye(len(self.values), dtype=bool)
        if not pairs.any():
            return 0.0
        return float(np.abs(project(self).values - self.values)[pairs].mean())


def symmetrise(values: Matrix) -> Matrix:
    """Return the mean of a matrix `(classes, classes)` and its transpose, with diagonal 1."""
    symmetric = (values + values.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    return symmetric


def project(table: AffinityTable) -> AffinityTable:
    """Return the nearest correlation matrix: symmetric, diagonal 1, positive semidefinite.

    Only such a table can be met by cosines. Alternating projections with Dykstra's correction
    (Higham 2002, IMA J. Numer. Anal. 22, algorithm 3.3).

    Examples
    --------
    >>> given = AffinityTable(("a", "b", "c"), np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]))
    >>> project(given).values.round(3)  # three vectors can point apart by 120 degrees at most
    array([[ 1. , -0.5, -0.5],
           [-0.5,  1. , -0.5],
           [-0.5, -0.5,  1. ]])
    """
    y = symmetrise(table.values)
    correction = np.zeros_like(y)
    for _ in range(_ROUNDS):
        shifted = y - correction
        eigenvalues, vectors = np.linalg.eigh(shifted)
        x = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
        correction = x - shifted
        previous, y = y, symmetrise(x)
        if np.abs(y - previous).max() < _TOLERANCE:
            break
    return AffinityTable(table.class_names, np.clip(y, -1, 1))


def projection_report(given: AffinityTable, used: AffinityTable) -> dict[str, float]:
    """Say how far a table is from what cosines can meet, and what its projection changed.

    Returns
    -------
    dict
        `asymmetry`, `smallest_eigenvalue` and `floor` of the given table; the largest shift of a
        value; the rank correlation over pairs of classes, NaN where there is no order.
    """
    pairs = np.triu_indices(len(given.values), k=1)
    before, after = symmetrise(given.values)[pairs], symmetrise(used.values)[pairs]
    ordered = len(np.unique(before)) > 1 and len(np.unique(after)) > 1
    return {
        "asymmetry": given.asymmetry,
        "smallest_eigenvalue": given.smallest_eigenvalue,
        "floor": given.floor,
        "projection_shift": float(np.abs(used.values - given.values).max()),
        "projection_spearman": float(spearmanr(before, after)[0]) if ordered else float("nan"),
    }
