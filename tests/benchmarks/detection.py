"""How picks compare with the particles that are there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Places = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Detection:
    """How picks compare with the particles that are there.

    Attributes
    ----------
    pairs
        Numbers of a pick and of the particle that it found, `(m, 2)`.
    distances
        Between them, `(m,)`.
    """

    picks: int
    particles: int
    pairs: NDArray[np.int64]
    distances: NDArray[np.float64]

    @property
    def precision(self) -> float:
        """Share of picks that are particles; 0 without picks."""
        return len(self.pairs) / max(self.picks, 1)

    @property
    def recall(self) -> float:
        """Share of particles that were found; 0 without particles."""
        return len(self.pairs) / max(self.particles, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * len(self.pairs) / max(self.picks + self.particles, 1)


def compare_picks(picks: Places, particles: Places, tolerance: float) -> Detection:
    """Match picks `(n, 3)` to particles `(m, 3)` within `tolerance`, nearest pairs first.

    Each counts once: a second pick of one particle is a false one.
    """
    near = np.empty((0, 3))
    if len(picks) and len(particles):
        table = cKDTree(picks).sparse_distance_matrix(
            cKDTree(particles), tolerance, output_type="ndarray"
        )
        near = np.stack((table["v"], table["i"], table["j"]), axis=1)
    pairs, distances = [], []
    taken: tuple[set[int], set[int]] = (set(), set())
    for distance, i, j in near[np.lexsort(near.T[::-1])]:
        pick, particle = int(i), int(j)
        if pick not in taken[0] and particle not in taken[1]:
            taken[0].add(pick)
            taken[1].add(particle)
            pairs.append((pick, particle))
            distances.append(float(distance))
    return Detection(
        len(picks),
        len(particles),
        np.array(pairs, np.int64).reshape(-1, 2),
        np.array(distances),
    )
