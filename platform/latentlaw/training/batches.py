"""Batches of augmented images; draws are apart from their application, so they can be replayed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images

Augmentation = Literal["none", "rotate", "rotate-flip"]


@dataclass(frozen=True)
class LabelledImages:
    """Normalised images `(n, c, [z,] y, x)` and class indices `(n,)`, -1 where unlabelled."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "LabelledImages":
        """Return the same images on `device`."""
        return LabelledImages(self.images.to(device), self.labels.to(device))


def draw_transforms(
    kind: Augmentation, n: int, dims: int, generator: torch.Generator
) -> Tensor | None:
    """Draw `n` matrices `(n, dims, dims)` for `rotate_images`, or None where there is nothing.

    `rotate` draws uniform rotations; `rotate-flip` also mirrors half of them.
    """
    if kind == "none":
        return None
    matrices = random_rotations(n, dims, generator)
    if kind == "rotate-flip":
        mirrored = torch.rand(n, generator=generator) < 0.5
        matrices[mirrored, :, 0] *= -1
    return matrices


def augmented_batches(
    data: LabelledImages,
    *,
    batch_size: int,
    samples: int,
    augmentation: Augmentation,
    generator: torch.Generator,
) -> Iterator[LabelledImages]:
    """Yield batches until `samples` images were seen, over as many passes as that takes.

    Every pass is in a new order; a last batch of one image, of which no pair loss can be made, is
    left out.
    """
    passes = -(-samples // len(data))
    order = torch.cat([torch.randperm(len(data), generator=generator) for _ in range(passes)])
    for rows in order[:samples].split(min(batch_size, len(data))):
        if len(rows) < 2 <= len(data):
            continue
        images = data.images[rows.to(data.images.device)]
        matrices = draw_transforms(augmentation, len(rows), images.ndim - 2, generator)
        if matrices is not None:
            images = rotate_images(images, matrices)
        yield LabelledImages(images, data.labels[rows.to(data.labels.device)])
