"""The training loop: one pass over augmented batches an epoch, the best weights kept."""

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from latentlaw.data.loading import LabelledImages, Particles
from latentlaw.errors import DataError
from latentlaw.losses.schedules import weight_schedule
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.batches import augmented, held_out_batches, training_batches
from latentlaw.training.config import TrainConfig
from latentlaw.training.objective import Weights, loss_terms

EpochCallback = Callable[[int, dict[str, float]], None]


def fit(
    model: AutoEncoder,
    train: Particles,
    val: Particles,
    config: TrainConfig,
    *,
    affinity: Tensor | None = None,
    on_epoch: EpochCallback | None = None,
) -> int:
    """Train `model` in place and leave it with the weights of the lowest validation loss.

    Parameters
    ----------
    affinity
        `(classes, classes)` similarities, or None.
    on_epoch
        Called with the epoch and `train/…`, `val/…` and `throughput/images_per_s`.

    Returns
    -------
    int
        The epoch whose weights were kept.

    Raises
    ------
    DataError
        If there is nothing to train or validate on, or the loss stops being finite.
    """
    if len(train) < 2 or len(val) < 1:
        raise DataError(
            f"train: {len(train)} training and {len(val)} validation particles; "
            "need at least 2 and 1"
        )
    device, normalisation = next(model.parameters()).device, model.config.normalisation
    generator = torch.Generator().manual_seed(config.seed)
    shuffled = training_batches(train, config, device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    betas = weight_schedule(config.schedule, config.epochs, config.beta)
    gammas = weight_schedule(config.schedule, config.epochs, config.gamma)
    nominal = Weights(config.beta, config.gamma, config.tc)
    best_loss, best_epoch = float("inf"), -1
    best = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(config.epochs):
        start = time.perf_counter()
        weights = Weights(betas[epoch], gammas[epoch], config.tc)
        batches = augmented(shuffled, normalisation, config, device, generator)
        trained = _pass(model, batches, weights, affinity, len(train), generator, optimiser)
        seconds = time.perf_counter() - start
        # Validation is always weighed as in the last epoch, so that epochs compare.
        held_out = held_out_batches(val, normalisation, device, batch_size=config.batch_size)
        seen = _pass(model, held_out, nominal, affinity, len(train), _fixed(config.seed), None)
        if seen["loss"] < best_loss:
            best_loss, best_epoch = seen["loss"], epoch
            best = {name: value.clone() for name, value in model.state_dict().items()}
        if on_epoch:
            rate = max(len(train), config.samples_per_epoch) / seconds
            on_epoch(
                epoch,
                {f"train/{name}": value for name, value in trained.items()}
                | {f"val/{name}": value for name, value in seen.items()}
                | {"throughput/images_per_s": rate},
            )
    model.load_state_dict(best)
    return best_epoch


def _fixed(seed: int) -> torch.Generator:
    """Return a generator that gives validation the same posterior noise in every epoch."""
    return torch.Generator().manual_seed(seed + 1)


def _pass(
    model: AutoEncoder,
    batches: Iterable[LabelledImages],
    weights: Weights,
    affinity: Tensor | None,
    dataset_size: int,
    generator: torch.Generator,
    optimiser: torch.optim.Optimizer | None,
) -> dict[str, float]:
    """Go over the batches once, with steps if there is an optimiser; return the mean terms."""
    model.train(optimiser is not None)
    totals: dict[str, Tensor] = {}
    count = 0
    with torch.set_grad_enabled(optimiser is not None):
        for batch in batches:
            terms = loss_terms(
                model, batch, weights, affinity, dataset_size=dataset_size, generator=generator
            )
            if optimiser is not None:
                optimiser.zero_grad(set_to_none=True)
                terms["loss"].backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
                optimiser.step()
            for name, value in terms.items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach() * len(
                    batch
                )
            count += len(batch)
    means = {name: float(total) / count for name, total in totals.items()}
    if not all(map(_finite, means.values())):
        raise DataError(f"train: the loss is no longer finite ({means}); lower learning_rate")
    return means


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")
