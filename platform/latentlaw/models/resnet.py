"""A small residual network, the second black box.

He et al. 2016 (arXiv 1512.03385), section 4.2: three stages of 16, 32 and 64 channels, global
average pooling, a linear layer. The first convolution has stride 2 for their 1, at a quarter of
the cost: an object that fills its box is not told by single voxels.
"""

from torch import Tensor, nn
from torch.nn.functional import silu

from latentlaw.models.config import ModelConfig, NormKind
from latentlaw.models.layers import CONV, norm_layer

WIDTHS = (16, 32, 64)
BLOCKS = {2: 2, 3: 1}  # in each stage: kernels of volumes have three times the weights
FIRST_STRIDE = {2: 1, 3: 2}  # of the first stage; the others halve


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, which is a projection where the shape changes."""

    def __init__(self, width: int, wider: int, stride: int, dims: int, norm: NormKind) -> None:
        super().__init__()
        conv = CONV[dims]
        self.body = nn.Sequential(
            conv(width, wider, kernel_size=3, stride=stride, padding=1, bias=False),
            norm_layer(norm, wider, dims),
            nn.SiLU(),
            conv(wider, wider, kernel_size=3, padding=1, bias=False),
            norm_layer(norm, wider, dims),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width != wider:
            self.shortcut = conv(width, wider, kernel_size=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(n, c, [z,] y, x)` to `(n, c', …)`, its sizes divided by the stride."""
        return silu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Residual blocks, global average pooling and a linear layer to class logits."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        self.classes = classes
        dims, norm = config.dims, config.norm
        first = CONV[dims](config.image_shape[0], WIDTHS[0], kernel_size=3, stride=2, padding=1)
        layers: list[nn.Module] = [first, norm_layer(norm, WIDTHS[0], dims), nn.SiLU()]
        width = WIDTHS[0]
        for stage, wider in enumerate(WIDTHS):
            for block in range(BLOCKS[dims]):
                halves = 2 if stage else FIRST_STRIDE[dims]
                stride = 1 if block else halves
                layers.append(ResidualBlock(width, wider, stride, dims, norm))
                width = wider
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `(n, classes)` of normalised images `(n, c, [z,] y, x)`."""
        pooled = self.body(images).flatten(2).mean(dim=-1)
        logits: Tensor = self.head(pooled)
        return logits
