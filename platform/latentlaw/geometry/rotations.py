"""Rotations as unit quaternions and matrices.

Quaternions are scalar-first `(w, x, y, z)`; matrices act on column vectors `(x, y, z)` and turn
the reference into the particle: density at point p of the reference is at R p in the particle.
"""

import math

import torch
from torch import Tensor


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
    """Turn unit quaternions `(..., 4)` into rotation matrices `(..., 3, 3)`."""
    w, x, y, z = normalise_quaternion(quaternion).unbind(-1)
    rows = (
        torch.stack((1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)), -1),
        torch.stack((2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)), -1),
        torch.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)), -1),
    )
    return torch.stack(rows, dim=-2)


def angle_to_matrix(angle: Tensor) -> Tensor:
    """Turn angles `(...)` in radians, from x towards y, into matrices `(..., 2, 2)`."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), dim=-2)


def geodesic_angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle in degrees `(...)` of the rotation between two unit quaternions `(..., 4)`."""
    overlap = (normalise_quaternion(first) * normalise_quaternion(second)).sum(-1).abs()
    return 2 * torch.acos(overlap.clamp(max=1.0)) * (180 / math.pi)


def random_rotations(n: int, dims: int, generator: torch.Generator) -> Tensor:
    """Draw `n` uniform rotation matrices: `(n, 3, 3)` for 3 dims, `(n, 2, 2)` for 2."""
    if dims == 3:
        return quaternion_to_matrix(random_quaternions(n, generator))
    return angle_to_matrix(torch.rand(n, generator=generator) * (2 * math.pi))
