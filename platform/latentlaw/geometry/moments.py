"""Images in a frame of their own, so that place and direction in the box say nothing more."""

from typing import Literal

import torch
from torch import Tensor

from latentlaw.geometry.volumes import rotate_images

Alignment = Literal["none", "rotate", "rotate-flip"]
_WINDOW = 1 / 6  # of the box: standard deviation of the window
_ROUNDS = 8


def align_by_moments(images: Tensor, *, flip: bool) -> Tensor:
    """Centre each image on its light, and turn its longest axis to x and its next to y.

    Light is what is brighter than the image's mean, summed over channels. Its first moments are
    the centre, the eigenvectors of its second the axes (Hu 1962, doi 10.1109/TIT.1962.1057692),
    and the third moment along an axis, its skewness, says which way it points. A Gaussian window
    that moves to the centre of what it shows (mean shift, doi 10.1109/34.400568) keeps neighbours
    at the edge from pulling. So an image and its turned copy become one, but for interpolation;
    of a disk, which has no longest axis, the direction is noise.

    Parameters
    ----------
    images
        `(n, c, [z,] y, x)`. A constant one stays as it is.
    flip
        Whether a mirror image is the same too. If not, the last axis points where it makes the
        frame right-handed.
    """
    points, light = _positions(images), images.sum(1)
    light = (light - light.mean(tuple(range(1, light.ndim)), keepdim=True)).clamp_min(0)
    centres = torch.zeros(len(images), points.shape[1]).to(points)
    for _ in range(_ROUNDS):
        centres = _share(light, centres) @ points
    apart = points - centres[:, None]
    share = _share(light, centres)
    covariance = (apart * share[..., None]).mT @ apart
    axes = torch.linalg.eigh(covariance).eigenvectors.flip(-1)  # as columns, longest first
    along = apart @ axes
    skewness = (along * along * along * share[..., None]).sum(1)
    axes = axes * torch.where(skewness < 0, -1.0, 1.0)[:, None]
    if not flip:
        axes[..., -1] *= torch.linalg.det(axes).sign()[:, None]
    lit = (share > 0).any(1)[:, None, None]
    frames = torch.where(lit, axes.mT, torch.eye(points.shape[1]).to(axes))
    return rotate_images(images, frames, about=centres)


def _share(light: Tensor, centres: Tensor) -> Tensor:
    """Share of each voxel `(n, voxels)` in the light of a window about `centres` `(n, dims)`.

    `light` is `(n, [z,] y, x)`; the window is a product of one along each axis.
    """
    sigma = _WINDOW * min(light.shape[1:])
    seen = light
    for axis, position in enumerate(_axes(light), start=1):
        apart = (position - centres[:, -axis, None]) / sigma
        shape = [-1 if place in (0, axis) else 1 for place in range(light.ndim)]
        shape[0] = len(light)
        seen = seen * torch.exp(-0.5 * apart.square()).view(shape)
    seen = seen.flatten(1)
    total = seen.sum(1, keepdim=True)
    return seen / total.where(total > 0, 1)


def _positions(images: Tensor) -> Tensor:
    """Positions `(voxels, dims)` in order x, y[, z], from the centre voxel n//2."""
    axes = _axes(images[:, 0])
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1).flatten(0, -2)


def _axes(light: Tensor) -> list[Tensor]:
    """Positions from the centre voxel along each axis of `(n, [z,] y, x)`."""
    return [
        torch.arange(size, device=light.device, dtype=light.dtype) - size // 2
        for size in light.shape[1:]
    ]
