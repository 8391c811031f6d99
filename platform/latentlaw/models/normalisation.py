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

    Before any of them, images are blurred by a Gaussian of `smoothing` voxels: noise beyond the
    resolution of a specimen says nothing of it. After it, they may be aligned, each in the
    frame of its own moments (`align_by_moments`): then latents need not say where a cell lies in
    its box and which way. `rotate-flip` takes mirror images for the same.
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
            smooth = unscaled.smoothed(batch)
            values = (smooth - _background(smooth)).double()
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
        """Return smoothed images `(n, c, [z,] y, x)` with background, mean or least value at 0."""
        images = self.smoothed(images)
        if self.kind == "global":
            return torch.asinh((images - _background(images)) / self.scale)
        offset, scale = self._offset_and_scale(images)
        return (images - offset) * scale

    def undo(self, normalised: Tensor, raw: Tensor) -> Tensor:
        """Return images in the grey levels of the `raw` ones that they were made or moved from.

        The background and scale of each are taken from its raw image, `(n, c, [z,] y, x)` both.
        What smoothing took away stays away; a constant image is all background.
        """
        smooth = self.smoothed(raw)
        if self.kind == "global":
            return _background(smooth) + torch.sinh(normalised) * self.scale
        offset, scale = self._offset_and_scale(smooth)
        return offset + normalised * torch.where(scale == 0, 0.0, 1 / scale)

    def _offset_and_scale(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is taken off each image, and the factor of the rest: 0 for a constant."""
        axes = tuple(range(1, images.ndim))
        if self.kind == "unit":
            least, most = images.amin(axes, True), images.amax(axes, True)
            constant = most - least <= 1e-6 * torch.maximum(most, -least)
            return least, torch.where(constant, 0.0, 1 / (most - least))
        mean = images.mean(dim=axes, keepdim=True)
        deviation = torch.linalg.vector_norm(images - mean, dim=axes, keepdim=True) / math.sqrt(
            math.prod(images.shape[1:])
        )
        largest = torch.maximum(images.amax(axes, True), -images.amin(axes, True))
        constant = deviation <= 1e-6 * largest
        return mean, torch.where(constant, 0.0, 1 / deviation.clamp_min(1e-12))

    def aligned(self, images: Tensor) -> Tensor:
        """Return scaled images `(n, c, [z,] y, x)` in their own frames."""
        if self.alignment == "none":
            return images
        return align_by_moments(images, flip=self.alignment == "rotate-flip")

    def smoothed(self, images: Tensor) -> Tensor:
        """Return images `(n, c, [z,] y, x)` with what lies beyond the resolution taken away."""
        if not self.smoothing:
            return images
        return gaussian_blur(images, images.new_tensor(self.smoothing))


def _background(images: Tensor) -> Tensor:
    """Return the 5th percentile of each image, `(n, 1, …)`."""
    flat = images.flatten(1)
    # As torch.quantile, which sorts all the values, from those up to the percentile.
    place = 0.05 * (flat.shape[1] - 1)
    low = int(place)
    least = flat.topk(min(low + 2, flat.shape[1]), dim=1, largest=False).values
    background = torch.lerp(least[:, low], least[:, -1], place - low)
    return background.view(-1, *[1] * (images.ndim - 1))
