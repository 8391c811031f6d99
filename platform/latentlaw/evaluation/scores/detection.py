"""Finding particles: how well a model shows what it sees, and how picks compare with the truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from latentlaw.models.vae import AutoEncoder

Places = NDArray[np.floating[Any]]


@torch.inference_mode()
def reconstruction_correlation(model: AutoEncoder, images: Tensor) -> Tensor:
    """Correlate images `(n, c, [z,] y, x)`, as they were measured, with what the model shows.

    An autoencoder of centred particles can show centred particles only: so this is a matched
    filter whose template is the particle that the window looks most like. Means are taken off:
    the result `(n,)` is Pearson's coefficient, and 0 for an image or output that is constant.
    """
    normalised = model.config.normalisation(images)
    seen, made = (each.flatten(1) for each in (normalised, _shown(model, normalised)))
    return torch.cosine_similarity(
        seen - seen.mean(1, keepdim=True), made - made.mean(1, keepdim=True), dim=1
    )


@torch.inference_mode()
def best_shift(model: AutoEncoder, wide: Tensor) -> Tensor:
    """Return how far to move each window so that it shows best what the model shows of it.

    Parameters
    ----------
    wide
        Images `(n, 1, z, y, x)` as they were measured, each about a window of the model's box: an
        even number of voxels more along each axis, half of which is the farthest move.

    Returns
    -------
    Tensor
        Voxels zyx `(n, 3)`.
    """
    sizes = zip(wide.shape[2:], model.config.image_shape[1:], strict=True)
    reach = [(size - box) // 2 for size, box in sizes]
    inner = tuple(slice(r, size - r) for r, size in zip(reach, wide.shape[2:], strict=True))
    template = _shown(model, model.config.normalisation(wide[:, :, *inner]))
    template = template - template.mean(dim=(1, 2, 3, 4), keepdim=True)
    level = wide - wide.mean(dim=(1, 2, 3, 4), keepdim=True)
    products = torch.nn.functional.conv3d(level.movedim(0, 1), template, groups=len(wide))[0]
    best = torch.unravel_index(products.flatten(1).argmax(dim=1), products.shape[1:])
    return torch.stack(best, dim=1) - torch.tensor(reach, device=wide.device)


def _shown(model: AutoEncoder, normalised: Tensor) -> Tensor:
    """Return what the model shows of normalised images, as a tilt series would record it.

    Where the pose is explicit it is the encoder's guess: a search takes a hundred times as long.
    """
    encoding = model.encode(normalised)
    return model.record(model.decode(encoding.mu, encoding.pose))


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
