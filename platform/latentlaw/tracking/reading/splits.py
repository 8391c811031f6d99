"""The split that a model was trained with, so that later stages test on what it never saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.particles.splits import TEST
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.errors import DataError
from latentlaw.tracking.names import SPLIT
from latentlaw.tracking.reading.logged import load_table
from latentlaw.tracking.reading.origins import stack_of, training_run


@dataclass(frozen=True)
class SplitOf:
    """A model's split `(n,)` of a stack's particles.

    Attributes
    ----------
    saw
        Whether the model was trained on a part of `this` stack, or of what it was `before` it
        grew; or on `another`, and then all particles are test.
    """

    split: NDArray[np.str_]
    saw: Literal["this", "before", "another"]


def split_of(model: str, stack: ParticleStack) -> SplitOf:
    """Return the split of each particle by the run that trained the model.

    Parameters
    ----------
    model
        Run id, `runs:/…` or `models:/…` URI.
    stack
        Whose particles are to be told apart, the model's own stack or another.

    Raises
    ------
    DataError
        If the run used this stack, but its split is gone.
    RegistryError
        If there is no such model.
    """
    run = training_run(model)
    trained_on = stack_of(run)
    if trained_on is None or trained_on.digest == stack.digest:
        saw: Literal["this", "before", "another"] = "this"
    elif _same_place(trained_on.path, stack.path):
        saw = "before"
    else:
        saw = "another"
    if saw == "another":
        return SplitOf(np.full(len(stack), TEST, dtype="<U8"), saw)
    table = load_table(run.info.run_id, SPLIT)
    if table is None:
        raise DataError(
            f"{SPLIT} of run {run.info.run_id}: gone, so that nobody knows which particles of "
            f"{stack.path} its model was trained on; put the artifact back, or give a stack that "
            "the model never saw"
        )
    known = dict(zip(table["particle_id"], table["split"], strict=True))
    split = [known.get(each, TEST) for each in stack.table["particle_id"]]
    return SplitOf(np.array(split, dtype="<U8"), saw)


def load_split(model: str, stack: ParticleStack) -> NDArray[np.str_]:
    """Return the split of each particle, `(n,)`; on other data than the model's, all are test.

    Raises
    ------
    DataError
        If no particle is left to test on, or the split is gone.
    RegistryError
        If there is no such model.
    """
    split = split_of(model, stack).split
    if not (split == TEST).any():
        raise DataError(f"{stack.path}: the model was trained on every particle; give others")
    return split


def _same_place(a: str, b: str) -> bool:
    return a == b or ("://" not in a + b and Path(a).absolute() == Path(b).absolute())
