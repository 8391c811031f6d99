"""One step of the optimiser: left out where it is not finite, explained where it does not fit."""

from collections.abc import Callable

import torch
from torch import Tensor

from latentlaw.data.particles.loading import LabelledImages
from latentlaw.errors import ConfigError, DataError
from latentlaw.training.state import TrainState

Terms = dict[str, Tensor]
_LARGEST_GRADIENT = 10.0


def take_step(
    state: TrainState,
    batch: LabelledImages,
    terms_of: Callable[[LabelledImages], Terms],
    *,
    max_skipped: int,
) -> None:
    """Descend along the gradient of `terms_of(batch)["loss"]`, and add the terms to the totals.

    A step whose loss or gradient is not finite changes nothing but the count of skipped steps. All
    is averaged over the processes that have a part of the batch, so each does the same.

    Raises
    ------
    DataError
        If more than `max_skipped` steps of the run were skipped.
    ConfigError
        If the batch does not fit into the GPU's memory.
    """
    buffers = [buffer.clone() for buffer in state.model.buffers()]
    try:
        terms = _gradients(state, batch, terms_of)
    except torch.OutOfMemoryError:
        terms = {}
    if not terms:
        raise ConfigError(_too_large(state, batch, terms_of))
    gradients = [p.grad for p in state.model.parameters() if p.grad is not None]
    state.ranks.average([*gradients, *terms.values()])
    state.scaler.unscale_(state.optimiser)
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), _LARGEST_GRADIENT)
    # With a scaler, an infinite gradient means that its scale is to fall.
    finite = terms["loss"] if state.scaler.is_enabled() else terms["loss"] + norm
    if not bool(torch.isfinite(finite)):
        for buffer, before in zip(state.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        _skip(state, terms, max_skipped)
        return
    state.scaler.step(state.optimiser)
    state.scaler.update()
    state.progress.step += 1
    n = len(batch) * state.ranks.size
    state.progress.count += n
    add_terms(state.totals, terms, n)


def add_terms(totals: Terms, terms: Terms, n: int) -> None:
    """Add the means over `n` images to sums over images."""
    for name, value in terms.items():
        sum_so_far = totals.get(name, torch.zeros_like(value))
        totals[name] = sum_so_far + value.detach() * n


def _gradients(
    state: TrainState, batch: LabelledImages, terms_of: Callable[[LabelledImages], Terms]
) -> Terms:
    state.optimiser.zero_grad(set_to_none=True)
    terms = terms_of(batch)
    state.scaler.scale(terms["loss"]).backward()
    return terms


def _skip(state: TrainState, terms: Terms, max_skipped: int) -> None:
    state.scaler.update()
    state.progress.skipped += 1
    if state.progress.skipped > max_skipped:
        found = {name: float(value.detach()) for name, value in terms.items()}
        raise DataError(
            f"train: found a loss or gradient that is not finite in {state.progress.skipped} "
            f"steps, the last of epoch {state.progress.epoch} ({found}), expected at most "
            f"{max_skipped}; lower learning_rate, or look for extreme values in the data"
        )


def _too_large(
    state: TrainState, batch: LabelledImages, terms_of: Callable[[LabelledImages], Terms]
) -> str:
    """Say which batch does not fit, and try halves for one that does.

    Not where others wait to take part in each try.
    """
    shape, n = tuple(batch.images.shape[1:]), len(batch)
    if state.ranks.size > 1:
        return (
            f"batch_size: {n} images of {shape}, the part of one of {state.ranks.size} processes, "
            f"do not fit into the memory of {batch.images.device}; use a smaller batch_size, or "
            "more processes"
        )
    fits = n // 2
    while fits >= 2 and not _fits(state, batch, terms_of, fits):
        fits //= 2
    remedy = f"{fits} fit: use batch_size={fits}"
    if fits < 2:
        remedy = "nor do two: use smaller boxes, fewer channels, or precision=bf16"
    device = batch.images.device
    return f"batch_size: {n} images of {shape} do not fit into the memory of {device}; {remedy}"


def _fits(
    state: TrainState,
    batch: LabelledImages,
    terms_of: Callable[[LabelledImages], Terms],
    n: int,
) -> bool:
    state.optimiser.zero_grad(set_to_none=True)
    torch.cuda.empty_cache()  # does nothing where CUDA was not used
    try:
        _gradients(state, batch[:n], terms_of)
    except torch.OutOfMemoryError:
        return False
    return True
