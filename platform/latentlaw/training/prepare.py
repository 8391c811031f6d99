"""From a particle stack to what a model trains on: split, class indices, normalised tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.data.particles import ParticleStack
from latentlaw.data.splits import TRAIN, VAL, split_particles
from latentlaw.errors import DataError
from latentlaw.losses.affinity import UNLABELLED
from latentlaw.models.normalisation import Normalisation, NormalisationKind
from latentlaw.training.batches import LabelledImages


@dataclass(frozen=True)
class PreparedData:
    """A stack in memory with its split.

    Attributes
    ----------
    images
        Raw images `(n, c, [z,] y, x)`.
    labels
        Class names `(n,)`, empty where unlabelled.
    split
        `train`, `val`, `test` or `held_out`, `(n,)`.
    class_names
        Classes to train on, sorted.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.str_]
    split: NDArray[np.str_]
    class_names: list[str]

    def rows(self, name: str, *, labelled: bool = False) -> NDArray[np.integer[Any]]:
        """Return the indices of a split, of labelled particles only if so asked."""
        chosen = self.split == name
        return np.flatnonzero(chosen & (self.labels != "") if labelled else chosen)

    def indices(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Class indices of `rows`, `UNLABELLED` where a label is unknown."""
        place = {name: i for i, name in enumerate(self.class_names)}
        return np.array([place.get(label, UNLABELLED) for label in self.labels[rows]], np.int64)

    def tensors(
        self, rows: NDArray[np.integer[Any]], normalisation: Normalisation
    ) -> LabelledImages:
        """Normalised images and class indices of `rows`."""
        images = normalisation(torch.from_numpy(self.images[rows]))
        return LabelledImages(images, torch.from_numpy(self.indices(rows)))

    def fit_normalisation(self, kind: NormalisationKind) -> Normalisation:
        """Learn a normalisation from the training images."""
        return Normalisation.fit(kind, torch.from_numpy(self.images[self.rows(TRAIN)]))


def prepare(stack: ParticleStack, *, seed: int, hold_out: tuple[str, ...] = ()) -> PreparedData:
    """Read a stack and split it by group.

    Raises
    ------
    DataError
        If a split cannot be made, values are not finite, or validation would be empty.
    """
    split = split_particles(stack.table, seed=seed, hold_out=hold_out)
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    images = stack.read()
    bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
    if len(bad):
        ids = stack.table["particle_id"].iloc[bad].tolist()
        raise DataError(
            f"{stack.path}: {len(ids)} particles hold NaN or infinite values: {ids[:5]}; "
            "leave them out"
        )
    trained = sorted(set(labels[split == TRAIN]) - {""})
    if not (split == VAL).any():
        raise DataError(f"{stack.path}: {len(images)} particles are too few to hold any out")
    return PreparedData(images, labels, split, trained)
