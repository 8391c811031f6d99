"""The first black box: a convolutional classifier with the encoder's own body."""

from torch import Tensor, nn

from latentlaw.models.config import ModelConfig
from latentlaw.models.layers import conv_stack


class Classifier(nn.Module):
    """Convolutions, global average pooling and a hidden layer to class logits."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.body, width = conv_stack(config)
        self.head = nn.Sequential(nn.Linear(width, 64), nn.SiLU(), nn.Linear(64, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `(n, classes)` of normalised images `(n, c, [z,] y, x)`."""
        pooled = self.body(images).flatten(2).mean(dim=-1)
        logits: Tensor = self.head(pooled)
        return logits
