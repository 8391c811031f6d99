"""Pictures of a latent space: reconstructions and traversals, as uint8 images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlaw.evaluation.embed import embed
from latentlaw.models.vae import AutoEncoder

Image = NDArray[np.uint8]
_GAP = 2


def reconstruction_strip(model: AutoEncoder, images: NDArray[Any]) -> Image:
    """Show raw images `(n, c, [z,] y, x)` above what the model makes of them (central slices)."""
    codes = embed(model, images)
    normalised = model.config.normalisation(torch.as_tensor(images, dtype=torch.float32))
    rebuilt = _decode(model, codes.mu, codes.pose)
    rows = [[_slice(x) for x in normalised.numpy()], [_slice(x) for x in rebuilt]]
    return _tile(rows)


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
    return _tile([[_slice(x) for x in _decode(model, codes, poses)]])


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


def _slice(image: NDArray[Any]) -> NDArray[Any]:
    """First channel, central z slice: `(y, x)`."""
    return np.asarray(image[0] if image.ndim == 3 else image[0, image.shape[1] // 2])


def _tile(rows: list[list[NDArray[Any]]]) -> Image:
    """Lay slices out in rows, each row scaled to its own 1st to 99th percentile."""
    lines = []
    for row in rows:
        low, high = np.percentile(np.stack(row), (1, 99))
        span = max(float(high - low), 1e-9)
        cells = [np.clip((cell - low) / span, 0, 1) * 255 for cell in row]
        padded = [np.pad(cell, _GAP, constant_values=255) for cell in cells]
        lines.append(np.concatenate(padded, axis=1))
    image = np.concatenate(lines, axis=0).astype(np.uint8)
    zoom = max(1, 96 // max(rows[0][0].shape))
    return np.kron(image, np.ones((zoom, zoom), dtype=np.uint8))
