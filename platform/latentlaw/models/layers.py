"""Layers by number of spatial axes."""

from torch import nn

from latentlaw.models.config import NormKind

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
UPCONV: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def norm_layer(kind: NormKind, channels: int, dims: int) -> nn.Module:
    """Return the normalisation after a convolution with `channels` outputs."""
    if kind == "batch":
        return BATCH_NORM[dims](channels)
    if kind == "group":
        return nn.GroupNorm(next(g for g in (8, 4, 2, 1) if channels % g == 0), channels)
    return nn.Identity()


def conv_stack(
    channels_in: int, channels: int, depth: int, dims: int, norm: NormKind
) -> tuple[nn.Sequential, int]:
    """Stack `depth` stride-2 convolutions whose width doubles; also return the last width."""
    layers: list[nn.Module] = []
    width = channels_in
    for level in range(depth):
        wider = channels * 2**level
        layers += [
            CONV[dims](width, wider, kernel_size=3, stride=2, padding=1),
            norm_layer(norm, wider, dims),
            nn.SiLU(),
        ]
        width = wider
    return nn.Sequential(*layers), width
