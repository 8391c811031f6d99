"""Hyperparameters of a training run."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt

from latentlaw.losses.schedules import ScheduleKind
from latentlaw.training.batches import Augmentation


class TrainConfig(BaseModel):
    """How to train; weights are those of `L = R + beta KL + tc TC + gamma affinity`.

    KL terms are in nats and R is a mean over voxels, so the weight of a unit-variance Gaussian
    likelihood is `beta = 2 / voxels`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: PositiveInt = 100
    batch_size: PositiveInt = 64
    learning_rate: float = Field(1e-3, gt=0, le=1)
    beta: NonNegativeFloat = 1e-3
    gamma: NonNegativeFloat = 0.0
    tc: NonNegativeFloat = 4e-3
    schedule: ScheduleKind = "constant"
    augmentation: Augmentation = "rotate"
    samples_per_epoch: PositiveInt = 512
    seed: int = 0
