"""Everything that a training step changes, so everything that a checkpoint holds."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.shuffling import ShuffledBatches
from latentlaw.errors import CheckpointError, ConfigError
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.batches import training_batches
from latentlaw.training.checkpoints import Checkpoint, Progress, Record, same_layout
from latentlaw.training.config import TrainConfig
from latentlaw.training.keeping import Keeper
from latentlaw.training.ranks import ALONE, Ranks


@dataclass
class TrainState:
    """A run between two steps.

    Attributes
    ----------
    generator
        Of augmentation and posterior noise, alike in all processes.
    totals
        Sums of the loss terms over the images of this epoch.
    best
        Weights of the lowest validation loss, by name.
    ranks
        Processes whose states are the same.
    """

    model: AutoEncoder
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    generator: torch.Generator
    batches: ShuffledBatches
    best: dict[str, Tensor]
    progress: Progress = field(default_factory=Progress)
    totals: dict[str, Tensor] = field(default_factory=dict)
    ranks: Ranks = ALONE

    @classmethod
    def begin(
        cls, model: AutoEncoder, train: Particles, config: TrainConfig, ranks: Ranks = ALONE
    ) -> "TrainState":
        """Return the state before the first step.

        Raises
        ------
        ConfigError
            If the batch size cannot be shared out to the processes, or the network has layers
            that normalise over a batch.
        """
        if ranks.size > 1 and model.config.norm == "batch":
            raise ConfigError(
                f"norm: found batch and {ranks.size} processes, expected one, whose images it is "
                "over; use norm=group"
            )
        if model.config.dims == 3:  # faster on a CPU; 2-D images gain nothing
            _channels_last(model)
        device = next(model.parameters()).device
        return cls(
            model,
            torch.optim.AdamW(
                model.parameters(), lr=config.learning_rate, weight_decay=1e-4, fused=True
            ),
            torch.amp.GradScaler(device.type, enabled=config.precision == "fp16"),
            torch.Generator().manual_seed(config.seed),
            training_batches(train, config, device, ranks),
            weights_of(model),
            ranks=ranks,
        )

    def checkpoint(self, keeper: Keeper) -> Checkpoint:
        """Return the state as tensors and JSON."""
        moments = {
            f"optimiser/{index}.{name}": value
            for index, values in self.optimiser.state_dict()["state"].items()
            for name, value in values.items()
        }
        parts = {"model": self.model.state_dict(), "best": self.best, "totals": self.totals}
        named = {f"{part}/{k}": v for part, values in parts.items() for k, v in values.items()}
        record = Record(
            identity=keeper.identity,
            run_id=keeper.run_id,
            progress=self.progress,
            batches=self.batches.state_dict(),
            scaler=self.scaler.state_dict(),
        )
        return Checkpoint(record, {**named, **moments, "random/state": self.generator.get_state()})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to where `checkpoint` was taken.

        Raises
        ------
        CheckpointError
            If it is of another architecture or another plan of batches.
        """
        record = checkpoint.record
        weights = self.model.state_dict()
        try:
            self.model.load_state_dict(checkpoint.part("model"))
            self.best = {k: same_layout(v, weights[k]) for k, v in checkpoint.part("best").items()}
            self._restore_moments(checkpoint.part("optimiser"))
            self.generator.set_state(checkpoint.part("random")["state"])
            self.batches.load_state_dict(record.batches)
        except (RuntimeError, KeyError, IndexError, ValueError, ConfigError) as error:
            raise CheckpointError(
                f"resume: the checkpoint does not fit this model and data ({_brief(error)}); "
                "resume with the parameters that the run was begun with"
            ) from error
        if record.scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(record.scaler))
        device = next(self.model.parameters()).device
        self.totals = {k: v.to(device) for k, v in checkpoint.part("totals").items()}
        self.progress = record.progress.model_copy(deep=True)

    def _restore_moments(self, moments: dict[str, Tensor]) -> None:
        parameters = list(self.model.parameters())
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            index, name = key.split(".")
            like = parameters[int(index)]
            state.setdefault(int(index), {})[name] = (
                same_layout(value, like) if value.shape == like.shape else value
            )
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})


def weights_of(model: AutoEncoder) -> dict[str, Tensor]:
    """Return a copy of the weights and buffers, by name, in their shapes."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def _brief(error: Exception) -> str:
    """Return the first of the many lines that torch writes of weights that do not fit."""
    return " ".join(line.strip() for line in str(error).splitlines()[:2])


def _channels_last(model: AutoEncoder) -> None:
    for weights in model.parameters():
        if weights.ndim == 5:
            # Not contiguous(), which leaves the weights of a single channel as they are: their
            # strides are of either layout, and the first layer would take the other.
            weights.data = weights.data.clone(memory_format=torch.channels_last_3d)
