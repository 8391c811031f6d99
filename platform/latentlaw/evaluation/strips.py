"""Pictures of a latent space: reconstructions and traversals, as uint8 images."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.data.inspection.previews import Image, central_slice, tile_rows
from latentlaw.evaluation.embed import embed
from latentlaw.models.vae import AutoEncoder

_STEPS = 9  # pictures in a row
_MOST_WALKS = 8  # rows of an interpolation


def reconstruction_strip(model: AutoEncoder, images: NDArray[Any]) -> Image:
    """Show raw images `(n, c, [z,] y, x)` above what the model makes of them (central slices)."""
    codes = embed(model, images)
    normalised = model.config.normalisation(torch.as_tensor(images, dtype=torch.float32))
    rebuilt = decode(model, codes.mu, codes.pose)
    rows = [[central_slice(x) for x in normalised.numpy()], [central_slice(x) for x in rebuilt]]
    return tile_rows(rows)


def traversal_strip(
    model: AutoEncoder,
    mu: NDArray[Any],
    pose: NDArray[Any],
    dimension: int | None = None,
) -> Image:
    """Decode the mean latent with one dimension swept from its 2nd to its 98th percentile.

    Parameters
    ----------
    model
        Decodes the latents.
    mu, pose
        Training latents `(n, latent_dims)` and poses `(n, pose_dims)`.
    dimension
        Latent to sweep; None: every one in a row of its own.
    """
    chosen = range(mu.shape[1]) if dimension is None else (dimension,)
    poses = np.repeat(_typical(pose)[None], _STEPS, axis=0)
    middle = np.repeat(mu.mean(axis=0, keepdims=True), _STEPS, axis=0)
    return _rows(model, [(_swept(middle, mu, each), poses) for each in chosen])


def pose_strip(model: AutoEncoder, mu: NDArray[Any], pose: NDArray[Any]) -> Image:
    """Decode a typical particle with each pose number swept from its 2nd to 98th percentile.

    Parameters
    ----------
    model
        Decodes the latents.
    mu, pose
        Training latents `(n, latent_dims)` and poses `(n, pose_dims)`, `pose_dims` > 0.
    """
    codes = np.repeat(_typical(mu)[None], _STEPS, axis=0)
    middle = np.repeat(_typical(pose)[None], _STEPS, axis=0)
    swept = [(codes, _swept(middle, pose, each)) for each in range(pose.shape[1])]
    return _rows(model, swept)


def interpolation_strip(
    model: AutoEncoder,
    mu: NDArray[Any],
    pose: NDArray[Any],
    labels: NDArray[np.str_],
) -> Image:
    """Decode the way from each class to the next one, one row per pair, at the pose of its start.

    A class is its particle nearest to the class mean, since the mean of latents may be no latent.

    Parameters
    ----------
    model
        Decodes the latents.
    mu, pose, labels
        Latents `(n, latent_dims)`, poses `(n, pose_dims)` and class names `(n,)`, two at least.
    """
    ends = []
    for name in sorted(set(labels.tolist())):
        own = np.flatnonzero(labels == name)
        ends.append(own[_nearest_to_mean(mu[own])])
    share = np.linspace(0, 1, _STEPS)[:, None]
    walks = []
    for start, end in pairwise(ends[: _MOST_WALKS + 1]):
        codes = (1 - share) * mu[start] + share * mu[end]
        walks.append((codes, np.repeat(pose[start][None], _STEPS, axis=0)))
    return _rows(model, walks)


def _swept(middle: NDArray[Any], values: NDArray[Any], column: int) -> NDArray[Any]:
    swept = middle.copy()
    low, high = np.percentile(values[:, column], (2, 98))
    swept[:, column] = np.linspace(low, high, len(middle))
    return swept


def _typical(values: NDArray[Any]) -> NDArray[Any]:
    """Return the row nearest to the mean: the mean of poses is no pose."""
    return np.asarray(values[_nearest_to_mean(values)])


def _nearest_to_mean(values: NDArray[Any]) -> int:
    return int(np.linalg.norm(values - values.mean(axis=0), axis=1).argmin())


def _rows(model: AutoEncoder, codes: list[tuple[NDArray[Any], NDArray[Any]]]) -> Image:
    """Decode rows of latents and poses; each row has its own grey scale."""
    return tile_rows([[central_slice(x) for x in decode(model, *row)] for row in codes])


def decode(model: AutoEncoder, mu: NDArray[Any], pose: NDArray[Any]) -> NDArray[np.float32]:
    """Decode latents `(n, d)` and poses `(n, pose_dims)` to normalised images."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        output = model.decode(
            torch.as_tensor(mu, dtype=torch.float32, device=device),
            torch.as_tensor(pose, dtype=torch.float32, device=device),
        )
    if model.config.reconstruction == "bce":
        output = output.sigmoid()
    return np.asarray(output.cpu().numpy())
