"""Layers by number of spatial axes."""

import math

from torch import Tensor, nn
from torch.nn.functional import linear

from latentlaw.models.config import ModelConfig, NormKind


class UpConv3d(nn.ConvTranspose3d):
    """A transposed convolution of kernel and stride 2, whose outputs do not overlap.

    So it is one matrix product per voxel. PyTorch's own is several times slower on a CPU, and
    loses the channels-last layout, which slows down the layers around it.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, kernel_size=2, stride=2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map `(n, c, z, y, x)` to `(n, c', 2z, 2y, 2x)`, channels last in memory."""
        n, _, z, y, x = input.shape
        rows = self.weight.permute(2, 3, 4, 1, 0).flatten(0, 3)  # (2 2 2 c', c)
        bias = None if self.bias is None else self.bias.repeat(8)
        fine = linear(input.movedim(1, -1), rows, bias).view(n, z, y, x, 2, 2, 2, -1)
        return (
            fine.permute(0, 1, 4, 2, 5, 3, 6, 7)
            .reshape(n, 2 * z, 2 * y, 2 * x, self.out_channels)
            .movedim(-1, 1)
        )


CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def up_layer(channels_in: int, channels_out: int, dims: int) -> nn.Module:
    """Return the layer that doubles all sizes, without overlap."""
    if dims == 3:
        return UpConv3d(channels_in, channels_out)
    return nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2)


def norm_layer(kind: NormKind, channels: int, dims: int, *, voxels: int = 2) -> nn.Module:
    """Return the normalisation after a convolution with `channels` outputs of `voxels` each.

    A group is of two values or more, since one alone would always become 0.
    """
    if kind == "batch":
        return BATCH_NORM[dims](channels)
    if kind == "group":
        groups = (g for g in (8, 4, 2) if channels % g == 0 and channels * voxels > g)
        return nn.GroupNorm(next(groups, 1), channels)
    return nn.Identity()


def conv_stack(config: ModelConfig) -> tuple[nn.Sequential, int]:
    """Stack `depth` stride-2 convolutions whose width doubles; also return the last width."""
    layers: list[nn.Module] = []
    width = config.image_shape[0]
    for level in range(config.depth):
        wider = config.channels * 2**level
        voxels = math.prod(size >> (level + 1) for size in config.image_shape[1:])
        layers += [
            CONV[config.dims](width, wider, kernel_size=3, stride=2, padding=1),
            norm_layer(config.norm, wider, config.dims, voxels=voxels),
            nn.SiLU(),
        ]
        width = wider
    return nn.Sequential(*layers), width
