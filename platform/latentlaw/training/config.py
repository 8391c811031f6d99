"""Hyperparameters of a training run."""

import math

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from latentlaw.losses.divergence import TCEstimator
from latentlaw.losses.schedules import ScheduleKind
from latentlaw.training.augmentation import Augmentation, Wedge
from latentlaw.training.devices import Precision


class TrainConfig(BaseModel):
    """How to train; weights are those of `L = R + beta KL + tc TC + gamma affinity`.

    KL terms are in nats and R is a mean over voxels, so the weight of a unit-variance Gaussian
    likelihood is `beta = 2 / voxels`. A batch is never larger than the data.

    Attributes
    ----------
    samples_per_epoch
        Images that an epoch shows at least, for which a small data set is gone over again.
    tc_estimator
        How a tc-vae estimates the density of its aggregate posterior (`decompose_kl`).
    patience
        Epochs without a better validation loss after which training stops; None: never.
    max_skipped
        Steps of the run that may be left out because their loss is not finite.
    compile
        Let `torch.compile` generate the network's kernels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples_per_epoch: PositiveInt
    epochs: PositiveInt = 100
    batch_size: PositiveInt = 64
    learning_rate: float = Field(1e-3, gt=0, le=1)
    beta: NonNegativeFloat = 1e-3
    gamma: NonNegativeFloat = 1.0
    tc: NonNegativeFloat = 4e-3
    tc_estimator: TCEstimator = "stratified"
    schedule: ScheduleKind = "constant"
    augmentation: Augmentation = "rotate"
    wedge: Wedge | None = None
    patience: PositiveInt | None = None
    precision: Precision = "fp32"
    compile: bool = False
    max_skipped: NonNegativeInt = 10
    seed: int = 0


def least_samples(item_shape: tuple[int, ...]) -> int:
    """Images that an epoch of a small data set shows at least, turned anew at each showing.

    256, or fewer where boxes are so large that an epoch would pass 2^25 voxels (128 of 64^3).
    """
    return max(1, min(256, 2**25 // math.prod(item_shape)))
