"""Normalisation of images, fixed at training time and carried by the model."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat
from torch import Tensor

from latentlaw.geometry.moments import Alignment, align_by_moments
from latentlaw.geometry.volumes import gaussian_blur

NormalisationKind = Literal["particle", "global", "unit"]


class Normalisation(BaseModel):
    """How raw images become the network's input.

    `particle`: each image to mean 0 and standard deviation 1; a constant image becomes zeros.
    `global`: the image's 5th percentile is its background; the rest goes through
    `arcsinh(x / scale)` with one scale for all images, so that absolute intensity (the amount of
    DNA, say) stays a cue.
    `unit`: each image's range to [0, 1], as cross-entropy wants; a constant image becomes zeros.

    Before either, images are blurred by a Gaussian of `smoothing` voxels: noise beyond the
    resolution of a specimen says nothing of it. After either, they may be aligned, each in the
    frame of its own light (`align_by_moments`): then latents need not say where a cell lies in its
    box and which way. `rotate-flip` takes mirror images for the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: NormalisationKind = "particle"
    scale: PositiveFloat = 1.0
    smoothing: NonNegativeFloat = 0.0
    alignment: Alignment = "none"

    @classmethod
    def fit(
        cls,
        kind: NormalisationKind,
        batches: Iterable[Tensor],
        *,
        smoothing: float = 0.0,
        alignment: Alignment = "none",
    ) -> "Normalisation":
        """Learn the global scale, a standard deviation, from batches `(n, c, [z,] y, x)`."""
        unscaled = cls(kind=kind, smoothing=smoothing, alignment=alignment)
        if kind != "global":
            return unscaled
        count, mean, squares = 0, 0.0, 0.0
        for batch in batches:  # merged as by Chan, Golub & LeVeque 1983, eq. 2.1
            values = _above_background(unscaled.smoothed(batch)).double()
            n, shift = values.numel(), float(values.mean()) - mean
            squares += float(values.var(correction=0)) * n + shift**2 * count * n / (count + n)
            mean += shift * n / (count + n)
            count += n
        scale = max(math.sqrt(squares / max(count - 1, 1)), 1e-6)
        return unscaled.model_copy(update={"scale": scale})

    def __call__(self, images: Tensor) -> Tensor:
        """Return normalised float images of the same shape `(n, c, [z,] y, x)`."""
        return self.aligned(self.scaled(images))

    def scaled(self, images: Tensor) -> Tensor:
        """Return smoothed images with their background, or their mean, at 0."""
        images = self.smoothed(images)
        if self.kind == "global":
            return torch.asinh(_above_background(images) / self.scale)
        axes = tuple(range(1, images.ndim))
        if self.kind == "unit":
            least, most = images.amin(axes, True), images.amax(axes, True)
            constant = most - least <= 1e-6 * torch.maximum(most, -least)
            return (images - least) * torch.where(constant, 0.0, 1 / (most - least))
        centred = images - images.mean(dim=axes, keepdim=True)
        deviation = torch.linalg.vector_norm(centred, dim=axes, keepdim=True) / math.sqrt(
            math.prod(images.shape[1:])
        )
        largest = torch.maximum(images.amax(axes, True), -images.amin(axes, True))
        constant = deviation <= 1e-6 * largest
        return centred * torch.where(constant, 0.0, 1 / deviation.clamp_min(1e-12))

    def aligned(self, images: Tensor) -> Tensor:
        """Return scaled images in their own frames."""
        if self.alignment == "none":
            return images
        return align_by_moments(images, flip=self.alignment == "rotate-flip")

    def smoothed(self, images: Tensor) -> Tensor:
        """Return images with what lies beyond the resolution taken away."""
        if not self.smoothing:
            return images
        return gaussian_blur(images, images.new_tensor(self.smoothing))


def _above_background(images: Tensor) -> Tensor:
    flat = images.flatten(1)
    # As torch.quantile, which sorts all the values, from those up to the percentile.
    place = 0.05 * (flat.shape[1] - 1)
    low = int(place)
    least = flat.topk(min(low + 2, flat.shape[1]), dim=1, largest=False).values
    background = torch.lerp(least[:, low], least[:, -1], place - low)
    return images - background.view(-1, *[1] * (images.ndim - 1))
