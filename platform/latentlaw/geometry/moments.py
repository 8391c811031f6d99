"""Images in a frame of their own, so that place and direction in the box say nothing more."""

from typing import Literal

import torch
from torch import Tensor

from latentlaw.geometry.volumes import rotate_images

Alignment = Literal["none", "rotate", "rotate-flip"]


def align_by_moments(images: Tensor, *, flip: bool) -> Tensor:
    """Centre each image on its light, and turn its longest axis to x and its next to y.

    Light is what is above zero, summed over channels. Its first moments are the centre, the
    eigenvectors of its second the axes (Hu 1962, doi 10.1109/TIT.1962.1057692), and the third
    moment along an axis, its skewness, says which way it points. So an image and its turned copy
    become one, but for interpolation; of a disk, which has no longest axis, the direction is
    noise.

    Parameters
    ----------
    images
        `(n, c, [z,] y, x)`, background zero. One without light stays as it is.
    flip
        Whether a mirror image is the same too. If not, the last axis points where it makes the
        frame right-handed.
    """
    points, light = _positions(images), images.clamp_min(0).sum(1).flatten(1)
    total = light.sum(1, keepdim=True)
    lit = (total > 0)[..., None]
    share = light / total.where(total > 0, 1)
    centres = share @ points  # (n, dims)
    apart = points - centres[:, None]
    covariance = (apart * share[..., None]).mT @ apart
    axes = torch.linalg.eigh(covariance).eigenvectors.flip(-1)  # as columns, longest first
    skewness = ((apart @ axes) ** 3 * share[..., None]).sum(1)
    axes = axes * torch.where(skewness < 0, -1.0, 1.0)[:, None]
    if not flip:
        axes[..., -1] *= torch.linalg.det(axes).sign()[:, None]
    frames = torch.where(lit, axes.mT, torch.eye(points.shape[1]).to(axes))
    return rotate_images(images, frames, about=centres)


def _positions(images: Tensor) -> Tensor:
    """Positions `(voxels, dims)` in order x, y[, z], from the centre voxel n//2."""
    axes = [
        torch.arange(size, device=images.device, dtype=images.dtype) - size // 2
        for size in images.shape[2:]
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1).flatten(0, -2)
