"""Images in a frame of their own, so that place and direction in the box say nothing more."""

from typing import Literal

import torch
from torch import Tensor

from latentlaw.geometry.volumes import rotate_images

Alignment = Literal["none", "rotate", "rotate-flip"]
_WINDOW = 1 / 6  # of the box: standard deviation of the window
_ROUNDS = 8
_SWEEPS = 5


def align_by_moments(images: Tensor, *, flip: bool) -> Tensor:
    """Centre each image on its intensity, and turn its longest axis to x and its next to y.

    What counts is the intensity above the image's mean, summed over channels. Its first moments
    are the centre, the eigenvectors of its second the axes (Hu 1962, doi
    10.1109/TIT.1962.1057692), and the third moment along an axis, its skewness, says which way it
    points. A Gaussian window that moves to the centre of what it shows (mean shift, doi
    10.1109/34.400568) keeps neighbours at the edge from pulling. So an image and its rotated copy
    become one, but for interpolation; of a disk, which has no longest axis, the direction is
    noise.

    Parameters
    ----------
    images
        `(n, c, [z,] y, x)`. A constant one stays as it is.
    flip
        Whether a mirror image is the same too. If not, the last axis points where it makes the
        frame right-handed.

    Returns
    -------
    Tensor
        Images of the same shape.
    """
    points, light = _positions(images), images.sum(1)
    light = (light - light.mean(tuple(range(1, light.ndim)), keepdim=True)).clamp_min(0)
    centres = images.new_zeros(images.shape[0], points.shape[1])
    for _ in range(_ROUNDS):
        centres = _share(light, centres) @ points
    apart = points - centres[:, None]
    share = _share(light, centres)
    covariance = (apart * share[..., None]).mT @ apart
    axes = principal_axes(covariance)
    along = apart @ axes
    skewness = (along * along * along * share[..., None]).sum(1)
    signs = torch.where(skewness < 0, -1.0, 1.0)
    if not flip:
        turned = signs[:, :-1]
        signs = torch.cat((turned, turned.prod(1, keepdim=True)), dim=1)
    axes = axes * signs[:, None]
    lit = (share > 0).any(1)[:, None, None]
    frames = torch.where(lit, axes.mT, torch.eye(points.shape[1]).to(axes))
    return rotate_images(images, frames, about=centres)


def principal_axes(matrices: Tensor) -> Tensor:
    """Return the eigenvectors of symmetric matrices as columns, of the largest eigenvalue first.

    By cyclic Jacobi rotations (Golub & Van Loan 2013, section 8.5), each of which puts the larger
    of two values first: products and roots alone, so that an exported model does as this one does.
    In 2-D one rotation is exact; in 3-D five sweeps are, to rounding.

    Parameters
    ----------
    matrices
        `(n, 2, 2)` or `(n, 3, 3)`.

    Returns
    -------
    Tensor
        Rotations of the same shape. Axes of equal eigenvalues are arbitrary.
    """
    dims = matrices.shape[-1]
    axes = torch.eye(dims).to(matrices).expand_as(matrices)
    pairs = [(0, 1)] if dims == 2 else [(0, 1), (0, 2), (1, 2)] * _SWEEPS
    for p, q in pairs:
        turn = _jacobi_rotation(matrices, p, q)
        axes = axes @ turn
        matrices = turn.mT @ matrices @ turn
    return axes


def _jacobi_rotation(matrices: Tensor, p: int, q: int) -> Tensor:
    """Return the rotations `(n, d, d)` in the plane of axes p, q that make M[p, q] zero."""
    apart = matrices[:, p, p] - matrices[:, q, q]
    cross = 2 * matrices[:, p, q]
    length = (apart * apart + cross * cross).sqrt()
    nothing = length == 0
    length = length.where(~nothing, 1)
    double = (apart.abs() / length).where(~nothing, 1)  # |cosine| of twice the angle
    large = ((1 + double) / 2).sqrt()  # of cosine and sine: no digits are lost by cancellation
    small = cross.abs() / length / (2 * large)
    cos, sin = large.where(apart >= 0, small), small.where(apart >= 0, large)
    sin = torch.where(cross < 0, -sin, sin)
    turned, crossed = torch.zeros(2, *matrices.shape[1:]).to(matrices)
    turned[p, p] = turned[q, q] = 1
    crossed[p, q], crossed[q, p] = -1, 1
    kept = torch.eye(matrices.shape[-1]).to(matrices) - turned
    rotations: Tensor = kept + cos[:, None, None] * turned + sin[:, None, None] * crossed
    return rotations


def _share(light: Tensor, centres: Tensor) -> Tensor:
    """Share of each voxel `(n, voxels)` in the intensity of a window about `centres` `(n, dims)`.

    `light` is `(n, [z,] y, x)`; the window is a product of one along each axis.
    """
    sigma = _WINDOW * min(light.shape[1:])
    seen = light
    for axis, position in enumerate(_axes(light), start=1):
        apart = (position - centres[:, -axis, None]) / sigma
        shape = [-1 if place in (0, axis) else 1 for place in range(light.ndim)]
        shape[0] = light.shape[0]
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
