"""Rotations as unit quaternions and matrices.

Quaternions are scalar-first `(w, x, y, z)`; matrices act on column vectors `(x, y, z)` and turn
the reference into the particle: density at point p of the reference is at R p in the particle.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def normalise_quaternion(quaternion: Tensor) -> Tensor:
    """Scale quaternions `(..., 4)` to unit length; the zero quaternion becomes the identity."""
    norm = quaternion.norm(dim=-1, keepdim=True)
    identity = torch.zeros_like(quaternion)
    identity[..., 0] = 1.0
    return torch.where(norm > 1e-8, quaternion / norm.clamp_min(1e-8), identity)


def random_quaternions(n: int, generator: torch.Generator) -> Tensor:
    """Draw `n` rotations uniformly from SO(3) as unit quaternions `(n, 4)` with w >= 0."""
    quaternion = normalise_quaternion(torch.randn(n, 4, generator=generator))
    return torch.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Convert unit quaternions `(..., 4)` to rotation matrices `(..., 3, 3)`.

    Examples
    --------
    >>> quaternion_to_matrix(torch.tensor([0.0, 0, 0, 1])).diag()  # half a turn about z
    tensor([-1., -1.,  1.])
    """
    w, x, y, z = normalise_quaternion(quaternion).unbind(-1)
    rows = (
        torch.stack((1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)), -1),
        torch.stack((2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)), -1),
        torch.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)), -1),
    )
    return torch.stack(rows, dim=-2)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Convert rotation matrices `(..., 3, 3)` to unit quaternions `(..., 4)` with w >= 0.

    Each row of `4 q q^T` is the quaternion up to a factor; the row of the largest component
    (Shepperd 1978) never divides by something small.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in matrix.unbind(-2))
    rows = (
        torch.stack((1 + xx + yy + zz, zy - yz, xz - zx, yx - xy), -1),
        torch.stack((zy - yz, 1 + xx - yy - zz, yx + xy, xz + zx), -1),
        torch.stack((xz - zx, yx + xy, 1 - xx + yy - zz, zy + yz), -1),
        torch.stack((yx - xy, xz + zx, zy + yz, 1 - xx - yy + zz), -1),
    )
    outer = torch.stack(rows, dim=-2)
    largest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    row = outer.gather(-2, largest.expand(*largest.shape[:-1], 4)).squeeze(-2)
    quaternion = normalise_quaternion(row)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def frame_to_matrix(vectors: Tensor) -> Tensor:
    """Convert six numbers `(..., 6)`, two columns, to the rotations `(..., 3, 3)` next to them.

    Gram-Schmidt on two vectors is a map onto SO(3) that has a continuous inverse, which no map
    from four numbers has (Zhou et al. 2019, arXiv 1812.07035), so a network can learn it.
    """
    first = normalize(vectors[..., :3], dim=-1)
    rest = vectors[..., 3:]
    second = normalize(rest - (first * rest).sum(-1, keepdim=True) * first, dim=-1)
    third = torch.linalg.cross(first, second)
    return torch.stack((first, second, third), dim=-1)


def spread_rotations(n: int, dims: int) -> Tensor:
    """Return `n` rotation matrices `(n, dims, dims)` that cover all rotations evenly.

    In 3-D a super-Fibonacci spiral on the quaternions (Alexa 2022, CVPR, algorithm 1).
    """
    place = torch.arange(n, dtype=torch.float64) + 0.5
    if dims == 2:
        return angle_to_matrix(place * (2 * math.pi / n)).float()
    inner, outer = (place / n).sqrt(), (1 - place / n).sqrt()
    alpha = place * (2 * math.pi / math.sqrt(2))
    beta = place * (2 * math.pi / 1.533751168755204288118041)
    parts = (inner * alpha.sin(), inner * alpha.cos(), outer * beta.sin(), outer * beta.cos())
    return quaternion_to_matrix(torch.stack(parts, dim=-1)).float()


def spread_directions(n: int) -> Tensor:
    """Return `n` unit vectors `(n, 3)` that cover half a sphere evenly: a Fibonacci lattice."""
    place = torch.arange(n, dtype=torch.float64) + 0.5
    height, angle = place / n, place * (math.pi * (1 + math.sqrt(5)))
    ring = (1 - height.square()).sqrt()
    return torch.stack((ring * angle.cos(), ring * angle.sin(), height), dim=-1).float()


def small_rotations(angle_deg: float, dims: int) -> Tensor:
    """Return the identity and the turns by +-`angle_deg` about each axis, `(7, 3, 3)` in 3-D."""
    half = math.radians(angle_deg) / 2
    if dims == 2:
        return angle_to_matrix(torch.tensor([0.0, 2 * half, -2 * half]))
    turns = torch.zeros(7, 4)
    turns[:, 0] = math.cos(half)
    turns[0, 0] = 1.0
    turns[1:4, 1:] = torch.eye(3) * math.sin(half)
    turns[4:, 1:] = -torch.eye(3) * math.sin(half)
    return quaternion_to_matrix(turns)


def angle_to_matrix(angle: Tensor) -> Tensor:
    """Convert angles `(...)` in radians, from x towards y, to matrices `(..., 2, 2)`."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), dim=-2)


def random_rotations(n: int, dims: int, generator: torch.Generator) -> Tensor:
    """Draw `n` uniform rotation matrices: `(n, 3, 3)` for 3 dims, `(n, 2, 2)` for 2."""
    if dims == 3:
        return quaternion_to_matrix(random_quaternions(n, generator))
    return angle_to_matrix(torch.rand(n, generator=generator) * (2 * math.pi))
