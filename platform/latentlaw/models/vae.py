"""The autoencoder that every family shares; the loss makes the difference."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentlaw.models.config import ModelConfig
from latentlaw.models.decoders import ConvDecoder, SplatDecoder
from latentlaw.models.layers import conv_stack


@dataclass(frozen=True)
class Encoding:
    """Posterior of a batch: `mu`, `logvar` `(n, latent_dims)`; `pose` `(n, pose_dims)`."""

    mu: Tensor
    logvar: Tensor
    pose: Tensor


class Encoder(nn.Module):
    """Convolutions to latent mean, log variance and pose."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.body, width = conv_stack(
            config.image_shape[0], config.channels, config.depth, config.dims, config.norm
        )
        flat = width * math.prod(size // 2**config.depth for size in config.image_shape[1:])
        self.mu = nn.Linear(flat, config.latent_dims)
        self.logvar = nn.Linear(flat, config.latent_dims)
        self.pose = nn.Linear(flat, config.pose_dims) if config.pose_dims else None

    def forward(self, images: Tensor) -> Encoding:
        """Encode normalised images `(n, c, [z,] y, x)`."""
        hidden = self.body(images).flatten(1)
        pose = self.pose(hidden) if self.pose is not None else hidden.new_zeros(len(hidden), 0)
        # Bounded, so that exp() neither overflows nor lets a sample collapse to its mean.
        return Encoding(self.mu(hidden), self.logvar(hidden).clamp(-12.0, 6.0), pose)


class AutoEncoder(nn.Module):
    """Encoder and decoder of a `ModelConfig`; works on normalised images."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = SplatDecoder(config) if config.decoder == "splat" else ConvDecoder(config)

    def encode(self, images: Tensor) -> Encoding:
        """Encode normalised images `(n, c, [z,] y, x)`."""
        encoding: Encoding = self.encoder(images)
        return encoding

    def decode(self, z: Tensor, pose: Tensor) -> Tensor:
        """Decode latents `(n, latent_dims)` and pose `(n, pose_dims)` to normalised images."""
        images: Tensor = self.decoder(z, pose)
        return images

    def sample(self, encoding: Encoding, generator: torch.Generator) -> Tensor:
        """Draw latents `(n, latent_dims)` from the posterior; an autoencoder returns the mean."""
        if not self.config.variational:
            return encoding.mu
        noise = torch.randn(encoding.mu.shape, generator=generator).to(encoding.mu)
        return encoding.mu + (0.5 * encoding.logvar).exp() * noise
