"""The split that a model was trained with, so that later stages test on what it never saw."""

import mlflow
import numpy as np
from numpy.typing import NDArray

from latentlaw.data.particles import ParticleStack
from latentlaw.data.splits import TEST
from latentlaw.errors import DataError
from latentlaw.tracking.names import SPLIT, TAG_DATA_DIGEST
from latentlaw.tracking.runs import load_table, source_run


def load_split(model: str, stack: ParticleStack) -> NDArray[np.str_]:
    """Return the split of each particle, `(n,)`; on other data than the model's, all are test.

    Parameters
    ----------
    model
        Run id, `runs:/…` or `models:/…` URI.

    Raises
    ------
    DataError
        If no particle is left to test on.
    RegistryError
        If there is no such model.
    """
    run_id = source_run(model)
    same_data = mlflow.get_run(run_id).data.tags.get(TAG_DATA_DIGEST) == stack.digest
    table = load_table(run_id, SPLIT) if same_data else None
    known = {} if table is None else dict(zip(table["particle_id"], table["split"], strict=True))
    split = np.array([known.get(each, TEST) for each in stack.table["particle_id"]], dtype="<U8")
    if not (split == TEST).any():
        raise DataError(f"{stack.path}: the model was trained on every particle; give others")
    return split
