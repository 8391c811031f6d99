"""How much of Gaussians a missing wedge leaves, under any rotation and without rendering."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlaw.geometry.rotations import spread_directions
from latentlaw.geometry.wedges import Wedges
from latentlaw.models.splats import Splats

_DIRECTIONS = 128  # over half a sphere
_APART = math.sqrt(2 * math.pi / _DIRECTIONS)  # radians, about 13 degrees
_LOWEST = (3 / (4 * math.pi)) ** (1 / 3) / 2  # cycles a half edge: a ball of one Fourier voxel


@dataclass(frozen=True)
class MeasuredEnergy:
    """Squared norm of Gaussians that wedges leave, by the direction of frequency.

    A wedge takes whole directions. So what it leaves of turned Gaussians is a sum over those
    directions of the unturned ones that it leaves once they are turned.

    Attributes
    ----------
    wedges
        Of the images, `n`.
    directions
        Unit vectors `(d, 3)`, x first, even over half a sphere.
    energy
        Of the unturned Gaussians `(n, d)`; lengths are in half the longest box edge.
    """

    wedges: Wedges
    directions: Tensor
    energy: Tensor

    @classmethod
    def of(cls, splats: Splats, wedges: Wedges, size: int) -> "MeasuredEnergy":
        """Integrate the power spectrum along each direction, `k^2 |F(k u)|^2 dk`.

        F is a sum of Gaussians with phases, so it is known on any ray. The mean does not count,
        as images have none: k begins at the ball that is as large as the voxel of frequency 0.
        It ends at the Nyquist frequency of a box of `size` voxels. Steps are at most a quarter
        cycle a half edge, which samples the autocorrelation of what fits into the box.
        """
        directions = spread_directions(_DIRECTIONS).to(splats.centres)
        highest = size / 4
        steps = math.ceil(4 * (highest - _LOWEST))
        spacing = (highest - _LOWEST) / steps
        phase = 2 * math.pi * splats.centres @ directions.T  # (n, splats, d)
        mass = splats.weights * ((2 * math.pi) ** 1.5 * splats.sigmas**3)[:, None]
        energy = torch.zeros_like(phase[:, 0])
        for step in range(steps):
            k = _LOWEST + (step + 0.5) * spacing
            height = mass * torch.exp(-2 * (math.pi * k * splats.sigmas).square())[:, None]
            real, imaginary = height @ (k * phase).cos(), height @ (k * phase).sin()
            energy += k**2 * (real.square() + imaginary.square()).sum(dim=1)
        return cls(wedges, directions, energy * (4 * math.pi * spacing / _DIRECTIONS))

    def __call__(self, matrices: Tensor) -> Tensor:
        """Return the squared norm `(n, m)` that is left under rotations `(n, m, 3, 3)`."""
        there = self.wedges.measured(matrices, self.directions, edge=_APART)
        return torch.einsum("nmd,nd->nm", there, self.energy)
