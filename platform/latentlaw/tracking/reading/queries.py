"""Read-only, bounded questions about runs, answered as tables for the pages."""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from latentlaw.tracking.names import (
    EXPERIMENT,
    LOSS_TERMS,
    TAG_DATA_DIGEST,
    TAG_MODEL_FAMILY,
    TAG_PARENT,
    TAG_PROCESS,
    TAG_RESUME,
    TAG_STAGE,
)
from latentlaw.tracking.store.failures import reading, store_exists
from latentlaw.tracking.store.limits import decode_value
from latentlaw.tracking.store.paging import experiment_names, newest_runs

PARAM = "params."
METRIC = "metrics."
RUN_COLUMNS = (
    "run_id",
    "name",
    "stage",
    "family",
    "data_digest",
    "data_name",
    "status",
    "start_time",
    "seconds",
    "process",
    "parent",
    "experiment",
)

#: Shown of a run that was told to stop and can go on.
PREEMPTED = "PREEMPTED"

_MOST = 1000
_MOST_STEPS = 2000
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def list_runs(
    tracking_uri: str, *, stages: Iterable[str] | None = None, limit: int = _MOST
) -> pd.DataFrame:
    """List the newest runs, one per row, newest first.

    Runs of Latentlaw's own experiment are listed whatever their tags; those of other
    experiments only if they carry a stage.

    Parameters
    ----------
    tracking_uri
        Where MLflow keeps its runs; an SQLite file that does not exist holds none.
    stages
        Stages to keep; all by default.
    limit
        Most rows to return.

    Returns
    -------
    DataFrame
        `RUN_COLUMNS`, then columns `params.NAME` per parameter (text) and `metrics.NAME` per
        metric (last value). `start_time` is UTC, `seconds` NaN while a run goes on, `data_name`
        its particle stack, `process` who writes it; what a run lacks is missing in its row.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    if not store_exists(tracking_uri):
        return run_table([])
    with reading(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri)
        names = experiment_names(client)
        runs: list[Run] = []
        if stages is None:
            own_names = {EXPERIMENT, os.environ.get("MLFLOW_EXPERIMENT_NAME")}
            own = [key for key, name in names.items() if name in own_names]
            others = [key for key in names if key not in own]
            runs += newest_runs(client, "", experiments=own, limit=limit)
            staged = f"tags.`{TAG_STAGE}` LIKE '%'"
            runs += newest_runs(client, staged, experiments=others, limit=limit)
        for stage in stages or ():
            of_stage = f"tags.`{TAG_STAGE}` = '{stage}'"
            runs += newest_runs(client, of_stage, experiments=list(names), limit=limit)
    runs.sort(key=lambda run: run.info.start_time or 0, reverse=True)
    return run_table(runs[:limit], names)


def runs_by_id(tracking_uri: str, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the runs of these ids, in their order; columns as in `list_runs`.

    Ids that are none, or of no run (any more), are left out.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    wanted = {run_id: place for place, run_id in enumerate(run_ids) if is_run_id(run_id)}
    if not wanted or not store_exists(tracking_uri):
        return run_table([])
    with reading(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri)
        names = experiment_names(client)
        listed = ", ".join(f"'{run_id}'" for run_id in wanted)
        these = f"attributes.run_id IN ({listed})"
        found = newest_runs(client, these, experiments=list(names), limit=len(wanted))
    return run_table(sorted(found, key=lambda run: wanted[run.info.run_id]), names)


def list_experiments(tracking_uri: str) -> list[str]:
    """Return the names of the experiments, sorted.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    if not store_exists(tracking_uri):
        return []
    with reading(tracking_uri):
        return sorted(experiment_names(MlflowClient(tracking_uri=tracking_uri)).values())


def list_children(tracking_uri: str, run_id: str, *, limit: int = _MOST) -> pd.DataFrame:
    """List the runs whose parent is `run_id`, oldest first; columns as in `list_runs`.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    if not is_run_id(run_id) or not store_exists(tracking_uri):
        return run_table([])
    with reading(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri)
        experiment = client.get_run(run_id).info.experiment_id
        of_run = f"tags.`{TAG_PARENT}` = '{run_id}'"
        runs = newest_runs(client, of_run, experiments=[experiment], limit=limit)
        names = {experiment: client.get_experiment(experiment).name}
    return run_table(sorted(runs, key=lambda run: run.info.start_time or 0), names)


def loss_history(tracking_uri: str, run_id: str) -> pd.DataFrame:
    """Read the loss and its terms, on training and validation data, epoch by epoch.

    Returns
    -------
    DataFrame
        `split` (`train` or `val`), `term` (one of `LOSS_TERMS`), `epoch`, `value`; no rows for a
        run that logged none. Histories longer than 2000 epochs are thinned evenly.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    rows: list[tuple[str, str, int, float]] = []
    if is_run_id(run_id) and store_exists(tracking_uri):
        with reading(tracking_uri):
            client = MlflowClient(tracking_uri=tracking_uri)
            logged = client.get_run(run_id).data.metrics
            for split in ("train", "val"):
                for term in LOSS_TERMS:
                    if (name := f"{split}/{term}") in logged:
                        history = client.get_metric_history(run_id, name)
                        every = -(-len(history) // _MOST_STEPS)
                        rows += [
                            (split, term, m.step, decode_value(m.value)) for m in history[::every]
                        ]
    table = pd.DataFrame(rows, columns=["split", "term", "epoch", "value"])
    return table.sort_values(["term", "split", "epoch"], ignore_index=True)


def is_run_id(text: str) -> bool:
    """Tell whether `text` is shaped like a run id; text from a URL may be anything."""
    return _RUN_ID.fullmatch(text) is not None


def _row(run: Run, experiments: Mapping[str, str]) -> dict[str, Any]:
    tags = run.data.tags
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name or tags.get("mlflow.runName", ""),
        "stage": tags.get(TAG_STAGE, "unknown"),
        "family": tags.get(TAG_MODEL_FAMILY, ""),
        "data_digest": tags.get(TAG_DATA_DIGEST, ""),
        "data_name": _data_name(run),
        "status": PREEMPTED if _can_go_on(run) else run.info.status,
        "start_time": pd.Timestamp(run.info.start_time or 0, unit="ms", tz="UTC"),
        "seconds": _seconds(run),
        "process": tags.get(TAG_PROCESS, ""),
        "parent": tags.get(TAG_PARENT, ""),
        "experiment": experiments.get(run.info.experiment_id, ""),
        **{PARAM + key: value for key, value in run.data.params.items()},
        **{METRIC + key: decode_value(value) for key, value in run.data.metrics.items()},
    }


def _data_name(run: Run) -> str:
    inputs = [] if run.inputs is None else run.inputs.dataset_inputs
    return str(inputs[0].dataset.name) if inputs else ""


def _seconds(run: Run) -> float:
    """Return how long a run took; NaN while it goes on."""
    if run.info.end_time is None or run.info.start_time is None:
        return math.nan
    return float(run.info.end_time - run.info.start_time) / 1000


def _can_go_on(run: Run) -> bool:
    """Tell by the tag: `mlflow run` makes FAILED of any status when the exit code is not 0."""
    return run.info.status in ("KILLED", "FAILED") and TAG_RESUME in run.data.tags


def run_table(runs: Iterable[Run], experiments: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Lay runs out as `list_runs` does, given the names of their experiments by id."""
    rows = [_row(run, experiments or {}) for run in runs]
    keys = dict.fromkeys(key for row in rows for key in row)
    extra = sorted(key for key in keys if key not in RUN_COLUMNS)
    return pd.DataFrame(rows, columns=[*RUN_COLUMNS, *extra])
