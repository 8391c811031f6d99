"""Where a model comes from: the run that trained it, and the particle stack of a run."""

import json
import os
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from latentlaw.errors import RegistryError
from latentlaw.tracking.names import TAG_DATA_DIGEST, TAG_STAGE, TAG_TRAINED_BY
from latentlaw.tracking.reading.logged import source_run

_TRAIN = "train"


@dataclass(frozen=True)
class StackOf:
    """The particle stack that a run was made from: where it was, and its SHA-256."""

    path: str
    digest: str


def training_run(model: str) -> Run:
    """Return the run that trained a model, given as run id, `runs:/…` or `models:/…` URI.

    A model of equations holds the network of another run, which its run names.

    Raises
    ------
    RegistryError
        If there is no such model or run, or the run does not say whose network it holds.
    """
    run = _run(source_run(model))
    while run.data.tags.get(TAG_STAGE) != _TRAIN:
        source = run.data.tags.get(TAG_TRAINED_BY) or run.data.params.get("model", "")
        if not source or "@" in source:  # an alias may have moved since
            raise RegistryError(
                f"run {run.info.run_id}: found no tag {TAG_TRAINED_BY}, expected the id of the "
                f"run that trained its network; set it with MLflow, or run its command again"
            )
        run = _run(source_run(source))
    return run


def stack_of(run: Run) -> StackOf | None:
    """Return the particle stack that a run logged as its input; None without one."""
    digest = run.data.tags.get(TAG_DATA_DIGEST)
    datasets = [] if run.inputs is None else run.inputs.dataset_inputs
    if not datasets or digest is None:
        return None
    source: Any = json.loads(datasets[0].dataset.source)
    path = str(source.get("uri", source.get("path", "")))
    return StackOf(os.path.expanduser(path), digest)  # runs record the home as ~


def _run(run_id: str) -> Run:
    try:
        return mlflow.get_run(run_id)
    except MlflowException as error:
        raise RegistryError(f"run {run_id}: found no such run ({error.message})") from error
