"""Latents of many images, batch by batch."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.models.vae import AutoEncoder

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Embedding:
    """Latent means and log variances `(n, latent_dims)`, pose `(n, pose_dims)`."""

    mu: Array
    logvar: Array
    pose: Array

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


def embed(model: AutoEncoder, images: Images, *, batch_size: int = 128) -> Embedding:
    """Encode raw images `(n, c, [z,] y, x)`, normalised as the model was trained; find poses."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = torch.as_tensor(images[start : start + batch_size], dtype=torch.float32)
            encoding = model.infer(model.config.normalisation(batch.to(device)))
            parts.append([t.cpu().numpy() for t in (encoding.mu, encoding.logvar, encoding.pose)])
    mu, logvar, pose = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Embedding(mu, logvar, pose)
