"""Search of the pose that shows an image best, over all rotations.

A network that regresses the pose by gradients alone gets stuck: half a turn off, the error of a
near-symmetric shape has a local minimum. So the pose is searched, as cryoDRGN2 does (Zhong et al.
2021), and the network learns to answer what the search finds (amortised inference).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from latentlaw.geometry.rotations import small_rotations, spread_rotations
from latentlaw.geometry.volumes import gaussian_blur
from latentlaw.geometry.wedges import Wedges, apply_wedges
from latentlaw.models.pose import matrix_pose, pose_matrix
from latentlaw.models.splat_energy import MeasuredEnergy
from latentlaw.models.splats import Splats

_GRID = {3: 576, 2: 36}  # rotations of the coarse search: in 3-D about 30 degrees apart, in 2-D 10
_FIRST_STEP_DEG = {3: 16.0, 2: 5.0}
_STEPS = 5  # of the climb, each 0.6 of the one before
_KEPT = 4  # peaks of the coarse search to climb from


@torch.no_grad()
def search_pose(
    splats: Splats, images: Tensor, guess: Tensor, wedges: Wedges | None = None
) -> Tensor:
    """Return the pose under which the Gaussians correlate best with each image.

    Turning Gaussians hardly changes their norm, but it does change how much of it a missing wedge
    leaves; so with wedges the correlation is divided by the norm of what is left (the constrained
    cross-correlation of Foerster et al. 2005, PNAS 102, 4729). The grid's peaks and a guess are
    climbed from in shrinking steps about the axes.

    Parameters
    ----------
    splats
        Gaussians of each image.
    images
        Normalised, `(n, c, [z,] y, x)`.
    guess
        Poses `(n, 4)` or `(n, 2)` to start from besides the grid.
    wedges
        What the images lack; None: nothing.
    """
    dims = images.ndim - 2
    score = _Score.of(splats, images, wedges)
    grid = spread_rotations(_GRID[dims], dims).to(images).expand(images.shape[0], -1, -1, -1)
    best = score(grid).topk(_KEPT, dim=1).indices
    starts = torch.cat((_pick(grid, best), pose_matrix(guess)[:, None]), dim=1)
    for step in range(_STEPS):
        turns = small_rotations(_FIRST_STEP_DEG[dims] * 0.6**step, dims).to(images)
        around = turns @ starts[:, :, None]  # (n, starts, turns, dims, dims)
        scores = score(around.flatten(1, 2)).view(around.shape[:3])
        top = scores.max(dim=2)
        starts = around.gather(
            2, top.indices[..., None, None, None].expand(-1, -1, -1, dims, dims)
        ).squeeze(2)
    return matrix_pose(_pick(starts, top.values.argmax(dim=1, keepdim=True)).squeeze(1))


def _pick(matrices: Tensor, chosen: Tensor) -> Tensor:
    """Take of matrices `(n, m, d, d)` those at `chosen` `(n, k)`."""
    index = chosen[..., None, None].expand(-1, -1, *matrices.shape[2:])
    return matrices.gather(1, index)


@dataclass(frozen=True)
class _Score:
    """How well images show Gaussians under rotations."""

    splats: Splats
    blurred: Tensor
    measured_energy: MeasuredEnergy | None

    @classmethod
    def of(cls, splats: Splats, images: Tensor, wedges: Wedges | None) -> "_Score":
        energy = None
        if wedges is not None:
            # W is a projection, so of an image without its wedge <image, W r> is <image, r>.
            images = apply_wedges(images, wedges)
            energy = MeasuredEnergy.of(splats, wedges, max(images.shape[2:]))
        return cls(
            splats,
            gaussian_blur(images, splats.sigmas.mean(dim=1) * (max(images.shape[2:]) / 2)),
            energy,
        )

    def __call__(self, matrices: Tensor) -> Tensor:
        """Return the scores `(n, m)` of rotations `(n, m, d, d)`."""
        correlation = _correlation(self.splats, self.blurred, matrices)
        if self.measured_energy is None:
            return correlation
        return correlation * self.measured_energy(matrices).clamp_min(1e-12).rsqrt()


def _correlation(splats: Splats, blurred: Tensor, matrices: Tensor) -> Tensor:
    """Correlate images with the Gaussians under rotations `(n, m, d, d)`; gives `(n, m)`.

    The product of an image and a Gaussian is the blurred image at the Gaussian's centre, so
    nothing is rendered: m x splats values of the image are looked up.
    """
    dims = blurred.ndim - 2
    points = torch.einsum("nmij,nsj->nmsi", matrices, splats.centres)
    # From voxel size//2, in half longest edges, to grid_sample's centre and each half edge.
    sizes = torch.tensor(blurred.shape[:1:-1], device=blurred.device)
    scale, shift = sizes.max() / sizes, (2 * (sizes // 2) + 1) / sizes - 1
    lookup = (points * scale + shift).view(*points.shape[:3], *[1] * (dims - 2), dims)
    values = grid_sample(blurred, lookup, align_corners=False)  # zeros beyond the box
    mass = splats.weights * splats.sigmas[:, None] ** dims
    return torch.einsum("ncs,ncms->nm", mass, values.view(*values.shape[:4]))
