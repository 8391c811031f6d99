"""The autoencoder that every family shares; the loss makes the difference."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latentlaw.geometry.wedges import Wedges, apply_wedges
from latentlaw.models.config import ModelConfig
from latentlaw.models.decoders import ConvDecoder
from latentlaw.models.layers import conv_stack
from latentlaw.models.pose import PoseHead
from latentlaw.models.pose_search import search_pose
from latentlaw.models.splats import SplatDecoder


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
        self.body, width = conv_stack(config)
        flat = width * math.prod(size // 2**config.depth for size in config.image_shape[1:])
        self.mu = nn.Linear(flat, config.latent_dims)
        self.logvar = nn.Linear(flat, config.latent_dims)
        self.pose: nn.Module | None = None
        if config.explicit_pose:
            self.pose = PoseHead(flat, config.pose_dims)
        elif config.pose_dims:
            self.pose = nn.Linear(flat, config.pose_dims)

    def forward(self, images: Tensor) -> Encoding:
        """Encode normalised images `(n, c, [z,] y, x)`."""
        hidden = self.body(images).flatten(1)
        pose = self.pose(hidden) if self.pose is not None else hidden.new_zeros(hidden.shape[0], 0)
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

    def infer(self, images: Tensor) -> Encoding:
        """Encode normalised images `(n, c, [z,] y, x)`.

        An explicit pose is searched from the encoder's guess.
        """
        encoding = self.encode(images)
        return replace(encoding, pose=self.find_pose(encoding.mu, images, encoding.pose))

    def find_pose(
        self, z: Tensor, images: Tensor, guess: Tensor, wedges: Wedges | None = None
    ) -> Tensor:
        """Return the pose that shows `z` most like the images; the guess where pose is free.

        Parameters
        ----------
        z
            Latents `(n, d)`.
        images
            Normalised, `(n, c, [z,] y, x)`.
        guess
            Poses `(n, p)`, as the answer.
        wedges
            Those of the images; None: as they were recorded.
        """
        if not (isinstance(self.decoder, SplatDecoder) and self.config.explicit_pose):
            return guess
        return search_pose(self.decoder.splats(z), images, guess, self._wedges(images, wedges))

    def record(self, images: Tensor, wedges: Wedges | None = None) -> Tensor:
        """Return what a tilt series shows of decoded volumes `(n, c, z, y, x)`.

        `wedges` are those to take away; None: that of the data. Where the tilt range is not
        known, images stay as they are.
        """
        lacking = self._wedges(images, wedges)
        return images if lacking is None else apply_wedges(images, lacking)

    def _wedges(self, images: Tensor, wedges: Wedges | None) -> Wedges | None:
        if wedges is None and self.config.tilt_range is not None:
            wedges = Wedges.unturned(images.shape[0], self.config.tilt_range)
        return None if wedges is None else wedges.to(images.device)

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
