"""The convolutional decoder: latent and pose to images."""

import math

import torch
from torch import Tensor, nn

from latentlaw.models.config import ModelConfig
from latentlaw.models.layers import CONV, norm_layer, up_layer


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
                up_layer(width, narrower, config.dims),
                norm_layer(config.norm, narrower, config.dims),
                nn.SiLU(),
            ]
            width = narrower
        fine = config.image_shape[0] * self._factor**config.dims
        layers.append(CONV[config.dims](width, fine, kernel_size=3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, pose: Tensor) -> Tensor:
        """Decode latents `(n, latent_dims)`, poses `(n, pose_dims)` to `(n, c, [z,] y, x)`."""
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
