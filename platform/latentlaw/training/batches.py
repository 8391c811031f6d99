"""Batches as a network takes them: on its device, normalised, and in training augmented."""

from collections.abc import Iterable, Iterator

import torch

from latentlaw.data.particles.loading import LabelledImages, Particles, in_order, read_ahead
from latentlaw.data.particles.shuffling import ShuffledBatches
from latentlaw.models.normalisation import Normalisation
from latentlaw.training.augmentation import apply_transforms, draw_transforms, known_wedges
from latentlaw.training.config import TrainConfig
from latentlaw.training.ranks import ALONE, Ranks


def training_batches(
    particles: Particles, config: TrainConfig, device: torch.device, ranks: Ranks = ALONE
) -> ShuffledBatches:
    """Return this process's part of every epoch, none shorter than `samples_per_epoch`."""
    return ShuffledBatches(
        particles,
        batch_size=config.batch_size,
        seed=config.seed,
        samples=max(len(particles), config.samples_per_epoch),
        rank=ranks.rank,
        world_size=ranks.size,
        pin=device.type == "cuda",
    )


def augmented(
    batches: Iterable[LabelledImages],
    normalisation: Normalisation,
    config: TrainConfig,
    device: torch.device,
    generator: torch.Generator,
    *,
    tilt_range_deg: float | None = None,
    ranks: Ranks = ALONE,
) -> Iterator[LabelledImages]:
    """Yield the batches normalised and, with transforms from `generator`, augmented.

    With the tilt range of the data, each image comes with the wedges that it lacks. Transforms are
    drawn for the whole batch, of which these images are the part of one process.
    """
    for batch in _normalised(batches, normalisation, device):
        dims = batch.images.ndim - 2
        n = len(batch) * ranks.size
        drawn = draw_transforms(config.augmentation, n, dims, generator, wedge=config.wedge)
        transforms = drawn[ranks.part(n)]
        wedges = known_wedges(transforms, len(batch), tilt_range_deg)
        yield LabelledImages(apply_transforms(batch.images, transforms), batch.labels, wedges)


def held_out_batches(
    particles: Particles,
    normalisation: Normalisation,
    device: torch.device,
    *,
    batch_size: int = 256,
) -> Iterator[LabelledImages]:
    """Yield all particles in order, normalised."""
    batches = read_ahead(
        particles, in_order(len(particles), batch_size), pin=device.type == "cuda"
    )
    return _normalised(batches, normalisation, device)


def _normalised(
    batches: Iterable[LabelledImages], normalisation: Normalisation, device: torch.device
) -> Iterator[LabelledImages]:
    for batch in batches:
        moved = batch.to(device)
        yield LabelledImages(normalisation(moved.images), moved.labels)
