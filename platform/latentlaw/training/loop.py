"""The training loop: one pass over augmented batches per epoch, the best weights kept."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlaw.data.particles.loading import LabelledImages, Particles
from latentlaw.errors import DataError
from latentlaw.losses.schedules import weight_schedule
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.batches import augmented, held_out_batches
from latentlaw.training.config import TrainConfig
from latentlaw.training.keeping import Keeper
from latentlaw.training.objective import LossWeights, loss_terms
from latentlaw.training.ranks import ALONE, Ranks
from latentlaw.training.state import TrainState, weights_of
from latentlaw.training.step import Terms, add_terms, take_step

EpochCallback = Callable[[int, dict[str, float]], None]


def fit(
    model: AutoEncoder,
    train: Particles,
    val: Particles,
    config: TrainConfig,
    *,
    affinity: Tensor | None = None,
    on_epoch: EpochCallback | None = None,
    keeper: Keeper | None = None,
    ranks: Ranks = ALONE,
) -> int:
    """Train `model` in place and leave it with the weights of the lowest validation loss.

    Parameters
    ----------
    model
        On the device to train on.
    train, val
        Particles to learn from, and those whose loss chooses the weights.
    config
        Hyperparameters.
    affinity
        `(classes, classes)` similarities, or None.
    on_epoch
        Called with the epoch and `train/…`, `val/…` and `throughput/images_per_s`; a run that
        goes on begins with the epochs that were done before.
    keeper
        Keeps checkpoints and has the one to go on from; None: nothing is kept.
    ranks
        Processes that train this model together, each called with the same. Only the first
        validates, and only what its keeper found is gone on from.

    Returns
    -------
    int
        The epoch whose weights were kept.

    Raises
    ------
    DataError
        If there is nothing to train or validate on, or the loss stops being finite.
    ConfigError
        If a batch does not fit into the GPU's memory, or processes cannot share the batches.
    CheckpointError
        If a checkpoint cannot be written, or does not fit.
    PreemptedError
        If the process was told to stop, and its state is kept.
    """
    if len(train) < 2 or len(val) < 1:
        raise DataError(
            f"train: found {len(train)} training and {len(val)} validation particles, expected at "
            "least 2 and 1; give more"
        )
    if config.compile:
        model.encoder.compile()
        model.decoder.compile()
    state = TrainState.begin(model, train, config, ranks)
    run = _Run(state, config, weights_by_epoch(config), affinity, len(train), keeper)
    run.start(on_epoch)
    while not _done(state, config):
        metrics = run.train_epoch() | run.validate(val)
        state.progress.history.append(metrics)
        state.progress.epoch += 1
        if on_epoch:
            on_epoch(state.progress.epoch - 1, metrics)
        # Kept after it is told: what is told twice can be seen, what is not is lost.
        run.between_steps()
    if keeper:
        keeper.keep(state.checkpoint)
    model.load_state_dict(state.best)
    return state.progress.best_epoch


@dataclass(frozen=True)
class _Run:
    """A state and what takes it on."""

    state: TrainState
    config: TrainConfig
    weights: list[LossWeights]
    affinity: Tensor | None
    dataset_size: int
    keeper: Keeper | None

    def start(self, on_epoch: EpochCallback | None) -> None:
        """Go to the checkpoint that was found, or keep the first."""
        if self.keeper is None:
            return
        keeper = self.keeper
        found = self.state.ranks.from_first(lambda: keeper.found)
        if found is None:
            keeper.keep(self.state.checkpoint)
            return
        self.state.restore(found)
        for epoch, metrics in enumerate(self.state.progress.history):
            if on_epoch:
                on_epoch(epoch, metrics)

    def between_steps(self) -> None:
        if self.keeper:
            stop = self.state.ranks.any(bool(self.keeper.stop.name))
            self.keeper.between_steps(self.state.checkpoint, stop=stop)

    def terms(
        self, batch: LabelledImages, weights: LossWeights, generator: torch.Generator, ranks: Ranks
    ) -> Terms:
        return loss_terms(
            self.state.model,
            batch,
            weights,
            self.affinity,
            dataset_size=self.dataset_size,
            generator=generator,
            precision=self.config.precision,
            tc_estimator=self.config.tc_estimator,
            ranks=ranks,
        )

    def train_epoch(self) -> dict[str, float]:
        """Go over the batches that this epoch has left; return the mean terms of all of it."""
        state, config, model = self.state, self.config, self.state.model
        weights = self.weights[state.progress.epoch]
        device, normalisation = next(model.parameters()).device, model.config.normalisation
        model.train()
        start, seen = time.perf_counter(), 0
        for batch in augmented(
            state.batches,
            normalisation,
            config,
            device,
            state.generator,
            tilt_range_deg=model.config.tilt_range,
            ranks=state.ranks,
        ):
            take_step(
                state,
                batch,
                lambda images: self.terms(images, weights, state.generator, state.ranks),
                max_skipped=config.max_skipped,
            )
            seen += len(batch) * state.ranks.size
            self.between_steps()
        means = _means("train", state.totals, state.progress.count)
        state.totals, state.progress.count = {}, 0
        rate = seen / (time.perf_counter() - start)
        return means | {"train/skipped": state.progress.skipped, "throughput/images_per_s": rate}

    def validate(self, val: Particles) -> dict[str, float]:
        """Return the mean terms on `val`, and keep the weights if no loss was lower."""
        state = self.state
        means = state.ranks.from_first(lambda: self.held_out_means(val))
        best = state.progress.best_loss
        if best is None or means["val/loss"] < best:
            state.progress.best_loss = means["val/loss"]
            state.progress.best_epoch = state.progress.epoch
            state.best = weights_of(state.model)
        return means

    def held_out_means(self, val: Particles) -> dict[str, float]:
        """Return the mean terms on `val`.

        Terms are weighed as in the last epoch and noise is the same every time, so that epochs
        compare.
        """
        config, model = self.config, self.state.model
        device = next(model.parameters()).device
        nominal = LossWeights(config.beta, config.gamma, config.tc)
        generator = torch.Generator().manual_seed(config.seed + 1)
        totals: Terms = {}
        model.eval()
        with torch.no_grad():
            for batch in held_out_batches(
                val, model.config.normalisation, device, batch_size=config.batch_size
            ):
                add_terms(totals, self.terms(batch, nominal, generator, ALONE), len(batch))
        return _means("val", totals, len(val))


def weights_by_epoch(config: TrainConfig) -> list[LossWeights]:
    """Return the weights of the loss in each epoch, as the schedule has them."""
    betas = weight_schedule(config.schedule, config.epochs, config.beta)
    gammas = weight_schedule(config.schedule, config.epochs, config.gamma)
    return [LossWeights(beta, gamma, config.tc) for beta, gamma in zip(betas, gammas, strict=True)]


def _done(state: TrainState, config: TrainConfig) -> bool:
    progress = state.progress
    waited = progress.epoch - 1 - progress.best_epoch
    patient = config.patience is None or waited < config.patience
    return progress.epoch >= config.epochs or not patient


def _means(split: str, totals: Terms, count: int) -> dict[str, float]:
    """Divide sums over images by their number.

    Raises
    ------
    DataError
        If one is not finite, or there was no image whose loss was.
    """
    means = {f"{split}/{name}": float(total) / count for name, total in totals.items()}
    if not means or not all(map(math.isfinite, means.values())):
        raise DataError(f"train: found a loss that is not finite ({means}); lower learning_rate")
    return means
