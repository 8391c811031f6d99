"""Latents of many images, batch by batch."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.errors import DataError
from latentlaw.models.vae import AutoEncoder

Array = NDArray[np.float32]
_LARGEST, _QUICKEST_BYTES = 128, 2**22


@dataclass(frozen=True)
class Embedding:
    """Latent means and log variances `(n, latent_dims)`, pose `(n, pose_dims)`."""

    mu: Array
    logvar: Array
    pose: Array

    def rows(self, rows: NDArray[np.integer[Any]]) -> "Embedding":
        """Return the codes of the particles at `rows` `(k,)`."""
        return Embedding(self.mu[rows], self.logvar[rows], self.pose[rows])

    def followed_by(self, other: "Embedding") -> "Embedding":
        """Return the rows of both."""
        mu, logvar, pose = (
            np.concatenate(pair)
            for pair in (
                (self.mu, other.mu),
                (self.logvar, other.logvar),
                (self.pose, other.pose),
            )
        )
        return Embedding(mu, logvar, pose)


class Images(Protocol):
    """Raw images `(n, c, [z,] y, x)` in an array, or read as they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[Any]: ...


def quick_batch(model: AutoEncoder, device: torch.device) -> int:
    """Return how many images a model works on at once in least time, from 1 to 128.

    On a CPU images of 4 MiB together, whatever their size: with 8 MiB each takes twice as long
    (docs/experiments.md).
    """
    if device.type != "cpu":
        return _LARGEST
    image = 4 * math.prod(model.config.image_shape)  # float32
    return max(1, min(_LARGEST, _QUICKEST_BYTES // image))


def embed(model: AutoEncoder, images: Images, *, batch_size: int | None = None) -> Embedding:
    """Encode raw images `(n, c, [z,] y, x)`, normalised as the model was trained; find poses.

    Parameters
    ----------
    model
        Encodes the images, and looks for their poses if it has explicit ones.
    images
        Raw, `(n, c, [z,] y, x)`.
    batch_size
        Images at once; None: as many as are quickest.
    """
    model.eval()
    device = next(model.parameters()).device
    size = quick_batch(model, device) if batch_size is None else batch_size
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), size):
            batch = torch.as_tensor(images[start : start + size], dtype=torch.float32)
            encoding = model.infer(model.config.normalisation(batch.to(device)))
            parts.append([t.cpu().numpy() for t in (encoding.mu, encoding.logvar, encoding.pose)])
    mu, logvar, pose = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Embedding(mu, logvar, pose)


def check_finite(mu: NDArray[np.floating[Any]]) -> None:
    """Refuse latent means `(n, d)` that are not finite.

    Raises
    ------
    DataError
        Naming the latents.
    """
    bad = [f"z{i}" for i in np.flatnonzero(~np.isfinite(mu).all(axis=0))]
    if bad:
        raise DataError(
            f"latents {', '.join(bad[:5])}: found NaN or infinite values, expected finite ones; "
            "check that training converged"
        )
