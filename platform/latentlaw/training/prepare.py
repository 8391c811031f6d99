"""From a particle stack to what a model trains on: split, class indices, normalisation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.particles.loading import Particles, in_order, read_ahead
from latentlaw.data.particles.splits import TRAIN, class_counts, listed, split_particles
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.errors import DataError
from latentlaw.geometry.moments import Alignment
from latentlaw.losses.affinity import UNLABELLED
from latentlaw.models.normalisation import Normalisation, NormalisationKind


@dataclass(frozen=True)
class PreparedData:
    """A stack with its split; images stay where they are until a batch needs them.

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
    voxel_size_a
        Edge of a voxel in angstrom, or None where it is not known.
    """

    images: ImageChunks
    labels: NDArray[np.str_]
    split: NDArray[np.str_]
    class_names: list[str]
    voxel_size_a: float | None = None

    def rows(self, name: str, *, labelled: bool = False) -> NDArray[np.integer[Any]]:
        """Return the indices `(k,)` of a split, of labelled particles only if so asked."""
        chosen = self.split == name
        return np.flatnonzero(chosen & (self.labels != "") if labelled else chosen)

    def known_rows(self, name: str) -> NDArray[np.integer[Any]]:
        """Return the indices `(k,)` of a split's particles whose class is trained on."""
        return np.flatnonzero((self.split == name) & np.isin(self.labels, self.class_names))

    def indices(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Class indices `(k,)` of `rows` `(k,)`, `UNLABELLED` where a label is unknown."""
        place = {name: i for i, name in enumerate(self.class_names)}
        return np.array([place.get(label, UNLABELLED) for label in self.labels[rows]], np.int64)

    def particles(self, rows: NDArray[np.integer[Any]]) -> Particles:
        """Images and class indices of the particles at `rows` `(k,)`."""
        return Particles(self.images, rows, torch.from_numpy(self.indices(rows)))

    def fit_normalisation(
        self, kind: NormalisationKind, smoothing: float, alignment: Alignment
    ) -> Normalisation:
        """Learn a normalisation from the training images, a batch at a time."""
        train = self.particles(self.rows(TRAIN))
        batches = read_ahead(train, in_order(len(train), self.images.rows_per_chunk))
        images = (batch.images for batch in batches)
        return Normalisation.fit(kind, images, smoothing=smoothing, alignment=alignment)


def prepare(
    stack: ParticleStack, *, seed: int, hold_out: tuple[str, ...] = (), fold: int | None = None
) -> PreparedData:
    """Split a stack by group, and look once at all of its images.

    Raises
    ------
    DataError
        If a split cannot be made or leaves fewer than two classes to train on, both of which is
        told before an image is read; if values are not finite, or a chunk is damaged.
    """
    split = split_particles(stack.table, seed=seed, hold_out=hold_out, fold=fold)
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    trained = sorted(set(labels[split == TRAIN]) - {""})
    if len(trained) < 2:
        raise DataError(
            f"{stack.path}: found {len(trained)} class to train on "
            f"({listed(class_counts(labels))}), expected two for a classifier; label more "
            "particles, or hold out fewer classes"
        )
    bad = not_finite(stack.images)
    if len(bad):
        ids = stack.table["particle_id"].iloc[bad].tolist()
        raise DataError(
            f"{stack.path}: found NaN or infinite values in {len(ids)} particles, "
            f"{', '.join(ids[:5])}; leave them out"
        )
    return PreparedData(stack.images, labels, split, trained, stack.voxel_size_a)


def not_finite(images: ImageChunks) -> NDArray[np.intp]:
    """Return the rows `(k,)` of images with NaN or infinite values, reading chunk by chunk."""
    found = []
    for index in range(-(-len(images) // images.rows_per_chunk)):
        chunk = images.chunk(index)
        finite = np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
        found.append(np.flatnonzero(~finite) + index * images.rows_per_chunk)
    return np.concatenate(found)
