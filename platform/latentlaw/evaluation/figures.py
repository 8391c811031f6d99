"""Pictures of a latent space: reconstructions and traversals, as uint8 images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.data.previews import Image, central_slice, tile_rows
from latentlaw.evaluation.embed import embed
from latentlaw.models.vae import AutoEncoder


def reconstruction_strip(model: AutoEncoder, images: NDArray[Any]) -> Image:
    """Show raw images `(n, c, [z,] y, x)` above what the model makes of them (central slices)."""
    codes = embed(model, images)
    normalised = model.config.normalisation(torch.as_tensor(images, dtype=torch.float32))
    rebuilt = _decode(model, codes.mu, codes.pose)
    rows = [[central_slice(x) for x in normalised.numpy()], [central_slice(x) for x in rebuilt]]
    return tile_rows(rows)


def traversal_strip(
    model: AutoEncoder, mu: NDArray[Any], pose: NDArray[Any], dimension: int, *, steps: int = 9
) -> Image:
    """Decode the mean latent with one dimension swept over its 2nd to 98th percentile.

    Parameters
    ----------
    mu, pose
        Training latents `(n, latent_dims)` and poses `(n, pose_dims)`.
    """
    low, high = np.percentile(mu[:, dimension], (2, 98))
    codes = np.repeat(mu.mean(axis=0, keepdims=True), steps, axis=0)
    codes[:, dimension] = np.linspace(low, high, steps)
    # The mean of poses is no pose; the one nearest to it is.
    nearest = np.linalg.norm(pose - pose.mean(axis=0), axis=1).argmin()
    poses = np.repeat(pose[nearest][None], steps, axis=0)
    return tile_rows([[central_slice(x) for x in _decode(model, codes, poses)]])


def _decode(model: AutoEncoder, mu: NDArray[Any], pose: NDArray[Any]) -> NDArray[np.float32]:
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
