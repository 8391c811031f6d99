"""The Gaussian-splat decoder: latents to Gaussians, turned by the pose, rendered to images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentlaw.models.config import ModelConfig
from latentlaw.models.layers import CONV
from latentlaw.models.pose import pose_matrix


@dataclass(frozen=True)
class Splats:
    """Isotropic Gaussians of a batch, not yet turned; lengths in half the longest box edge.

    Attributes
    ----------
    centres
        `(n, splats, dims)`, x first, about voxel size//2.
    sigmas
        Standard deviations `(n, splats)`.
    weights
        Heights `(n, c, splats)`.
    """

    centres: Tensor
    sigmas: Tensor
    weights: Tensor


class SplatDecoder(nn.Module):
    """Gaussians placed by the latent, turned by the pose, then rendered.

    The pose is a real orientation: it only rotates the centres. `final_channels` adds what two
    small convolutions make of the rendered image, for detail that Gaussians lack.
    """

    _SIGMA_RANGE = (0.02, 0.2)

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._sizes = config.image_shape[1:]
        self._channels = config.image_shape[0]
        self._dims = config.dims
        self.centres = nn.Linear(config.latent_dims, config.splats * config.dims)
        self.weights = nn.Linear(config.latent_dims, config.splats * self._channels)
        self.sigmas = nn.Linear(config.latent_dims, config.splats)
        # One shape for every latent to begin with: poses are then found in one frame, and shapes
        # come apart from there, where random ones would each pull their neighbours into a frame.
        for layer in (self.centres, self.weights, self.sigmas):
            nn.init.zeros_(layer.weight)
        self.offset = nn.Parameter(torch.zeros(1))
        self.final = _final(config) if config.final_channels else None

    def splats(self, z: Tensor) -> Splats:
        """Return the Gaussians of latents `(n, latent_dims)`, centres kept inside the box."""
        centres = torch.tanh(self.centres(z)).view(z.shape[0], -1, self._dims) * 0.8
        low, high = self._SIGMA_RANGE
        sigmas = low + (high - low) * torch.sigmoid(self.sigmas(z))
        return Splats(centres, sigmas, self.weights(z).view(z.shape[0], self._channels, -1))

    def forward(self, z: Tensor, pose: Tensor, sizes: tuple[int, ...] | None = None) -> Tensor:
        """Render latents `(n, latent_dims)` at poses `(n, pose_dims)`, `(n, c, [z,] y, x)`.

        Parameters
        ----------
        z
            Latents `(n, latent_dims)`.
        pose
            Poses `(n, pose_dims)`; nothing is turned where there are no pose dimensions.
        sizes
            Voxels ([z,] y, x) of another box than the trained one; None: that.
        """
        splats = self.splats(z)
        if pose.shape[-1]:
            turned = splats.centres @ pose_matrix(pose).transpose(-1, -2)
            splats = Splats(turned, splats.sigmas, splats.weights)
        images = render(splats, sizes or self._sizes) + self.offset
        return images if self.final is None else images + self.final(images)


def render(splats: Splats, sizes: tuple[int, ...]) -> Tensor:
    """Sum Gaussians on a grid of `sizes` ([z,] y, x) voxels, `(n, c, [z,] y, x)`.

    An isotropic Gaussian on a grid is a product of one-dimensional ones, so this is one matrix
    product of `(n, z, splats) x (n, splats, y x)` and never forms an `n x voxels x splats`
    tensor.
    """
    last = len(sizes) - 1
    profiles = [
        _profile(size, max(sizes) / 2, splats.centres[..., last - axis], splats.sigmas)
        for axis, size in enumerate(sizes)
    ]
    plane = profiles[-2][..., :, None] * profiles[-1][..., None, :]  # (n, splats, y, x)
    if len(sizes) == 2:
        return torch.einsum("ncs,nsyx->ncyx", splats.weights, plane)
    slabs = splats.weights[..., None] * profiles[0][:, None]  # (n, c, splats, z)
    return torch.einsum("ncsz,nsyx->nczyx", slabs, plane)


def _profile(size: int, unit: float, centre: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian along one axis, `(n, splats, size)`; voxel size//2 is the origin.

    The unit, in voxels, is that of all axes, or a turn in an oblong box would be none.
    """
    voxel = torch.arange(size, device=centre.device, dtype=centre.dtype)
    position = (voxel - size // 2) / unit
    return torch.exp(-0.5 * ((position - centre[..., None]) / sigma[..., None]).square())


def _final(config: ModelConfig) -> nn.Sequential:
    """Two convolutions that add nothing until they are trained."""
    conv, channels = CONV[config.dims], config.image_shape[0]
    last = conv(config.final_channels, channels, kernel_size=3, padding=1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    first = conv(channels, config.final_channels, kernel_size=3, padding=1)
    return nn.Sequential(first, nn.SiLU(), last)
