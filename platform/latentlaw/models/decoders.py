"""Decoders: latent `(n, latent_dims)` and pose `(n, pose_dims)` to images `(n, c, [z,] y, x)`."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from latentlaw.geometry.rotations import quaternion_to_matrix
from latentlaw.models.config import ModelConfig
from latentlaw.models.layers import CONV, UPCONV, norm_layer


class ConvDecoder(nn.Module):
    """Convolutions on latent and pose together; the pose dimensions are free.

    Levels grow by transposed convolutions without overlap; the last one computes all voxels of
    the fine grid on the coarse one and interleaves them. Overlapping transposed convolutions at
    the full box are ten times slower on a CPU.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._shape = config.image_shape
        step = 2**config.depth
        width = config.channels * 2 ** max(config.depth - 1, 0)
        self._bottom = (width, *(size // step for size in config.image_shape[1:]))
        self._factor = 2 if config.depth else 1
        self.linear = nn.Linear(config.latent_dims + config.pose_dims, math.prod(self._bottom))
        layers: list[nn.Module] = []
        for _ in range(config.depth - 1):
            narrower = max(width // 2, config.channels)
            layers += [
                UPCONV[config.dims](width, narrower, kernel_size=2, stride=2),
                norm_layer(config.norm, narrower, config.dims),
                nn.SiLU(),
            ]
            width = narrower
        fine = config.image_shape[0] * self._factor**config.dims
        layers.append(CONV[config.dims](width, fine, kernel_size=3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, pose: Tensor) -> Tensor:
        """Decode latents and pose."""
        hidden = self.linear(torch.cat((z, pose), dim=-1)).view(len(z), *self._bottom)
        return interleave(self.layers(hidden), self._factor)


def interleave(images: Tensor, factor: int) -> Tensor:
    """Spread channels `(n, c f^d, …)` over a grid `factor` times finer, `(n, c, …)`, d axes.

    The sub-pixel shuffle of Shi et al. 2016, for any number of axes.
    """
    sizes = images.shape[2:]
    split = images.view(len(images), -1, *[factor] * len(sizes), *sizes)
    dims = len(sizes)
    order = [0, 1]
    for axis in range(dims):
        order += [2 + dims + axis, 2 + axis]
    return split.permute(order).reshape(len(images), -1, *(size * factor for size in sizes))


class SplatDecoder(nn.Module):
    """Gaussians placed by the latent, turned by the pose, then rendered.

    The pose is a real orientation: it only rotates the centres. An isotropic Gaussian on a grid
    is a product of one-dimensional ones, so rendering is one matrix product of
    `(n, z, splats) x (n, splats, y x)` and never forms an `n x voxels x splats` tensor.
    """

    _SIGMA_RANGE = (0.02, 0.2)  # of half a box edge

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._sizes = config.image_shape[1:]
        self._channels = config.image_shape[0]
        self._dims = config.dims
        self.centres = nn.Linear(config.latent_dims, config.splats * config.dims)
        self.weights = nn.Linear(config.latent_dims, config.splats * self._channels)
        self.sigmas = nn.Linear(config.latent_dims, config.splats)
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, pose: Tensor, sizes: tuple[int, ...] | None = None) -> Tensor:
        """Render at the trained box, or at another box of `sizes` ([z,] y, x) voxels."""
        sizes = sizes or self._sizes
        # Centres (x, y[, z]) in units of half a box edge; kept where a turn cannot leave the box.
        centres = torch.tanh(self.centres(z)).view(len(z), -1, self._dims) * 0.8
        if pose.shape[-1]:
            centres = centres @ pose_matrix(pose).transpose(-1, -2)
        low, high = self._SIGMA_RANGE
        sigma = low + (high - low) * torch.sigmoid(self.sigmas(z))  # (n, splats)
        weights = self.weights(z).view(len(z), self._channels, -1)
        profiles = [
            _profile(size, centres[..., self._dims - 1 - axis], sigma)
            for axis, size in enumerate(sizes)
        ]
        plane = profiles[-2][..., :, None] * profiles[-1][..., None, :]  # (n, splats, y, x)
        if self._dims == 2:
            return torch.einsum("ncs,nsyx->ncyx", weights, plane) + self.offset
        slabs = weights[..., None] * profiles[0][:, None]  # (n, c, splats, z)
        return torch.einsum("ncsz,nsyx->nczyx", slabs, plane) + self.offset


def _profile(size: int, centre: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian along one axis, `(n, splats, size)`; voxel size//2 is the origin."""
    voxel = torch.arange(size, device=centre.device, dtype=centre.dtype)
    position = (voxel - size // 2) / (size / 2)
    return torch.exp(-0.5 * ((position - centre[..., None]) / sigma[..., None]).square())


def pose_matrix(pose: Tensor) -> Tensor:
    """Turn pose numbers into rotations: quaternions `(n, 4)` or cosine and sine `(n, 2)`."""
    if pose.shape[-1] == 4:
        return quaternion_to_matrix(pose)
    cos, sin = normalize(pose, dim=-1).unbind(-1)
    return torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), dim=-2)
