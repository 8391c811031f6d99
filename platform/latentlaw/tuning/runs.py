"""The MLflow runs of a study: one per trial, children of the run of `tune`; none left RUNNING."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from latentlaw.tracking.names import (
    TAG_PARENT,
    TAG_STAGE,
    TAG_STUDY,
    TAG_TRIAL,
    TAG_TRIAL_ERROR,
    TAG_TRIAL_STATE,
    on_validation,
)
from latentlaw.tracking.store.paging import newest_runs
from latentlaw.tuning.process import State

TRIAL_STAGE = "trial"
_STATUS: dict[State, str] = {
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    "dead": "KILLED",
}
_LONGEST = 5000


def begin_trial_run(
    tracking_uri: str, parent: str, study: str, number: int, drawn: Mapping[str, Any]
) -> str:
    """Make the run of a trial, a child of `parent`, and return its id."""
    client = MlflowClient(tracking_uri)
    tags = {TAG_STAGE: TRIAL_STAGE, TAG_STUDY: study, TAG_TRIAL: str(number), TAG_PARENT: parent}
    experiment = client.get_run(parent).info.experiment_id
    run = client.create_run(experiment, tags=tags, run_name=f"trial {number}")
    params = [Param(name, str(value)) for name, value in drawn.items()]
    client.log_batch(run.info.run_id, params=params)
    return str(run.info.run_id)


def end_trial_run(
    tracking_uri: str,
    run_id: str,
    state: State,
    *,
    error: str = "",
    measures: Mapping[str, float] | None = None,
    log: Path | None = None,
) -> None:
    """Write how a trial ended, with the output of its process if there is any."""
    client = MlflowClient(tracking_uri)
    now = int(1000 * time.time())
    tags = [RunTag(TAG_TRIAL_STATE, state)]
    tags += [RunTag(TAG_TRIAL_ERROR, error[:_LONGEST])] if error else []
    metrics = [
        Metric(on_validation(name), value, now, 0) for name, value in (measures or {}).items()
    ]
    client.log_batch(run_id, metrics=metrics, tags=tags)
    if log is not None and log.exists() and log.stat().st_size:
        client.log_artifact(run_id, str(log))
    client.set_terminated(run_id, _STATUS[state])


def close_trial_runs(tracking_uri: str, study: str, number: int, state: State) -> None:
    """End the runs of a trial that nobody will end."""
    client = MlflowClient(tracking_uri)
    for run in _running(client, study, TRIAL_STAGE):
        if run.data.tags.get(TAG_TRIAL) == str(number):
            client.set_tag(run.info.run_id, TAG_TRIAL_STATE, state)
            client.set_terminated(run.info.run_id, _STATUS[state])


def close_left_runs(
    tracking_uri: str, study: str, own: str, states: Mapping[int, State | None]
) -> None:
    """End what killed processes left RUNNING, and make their trials children of `own`.

    Parameters
    ----------
    tracking_uri
        Of the store of runs.
    study
        Of `study_key`.
    own
        The run of `tune` that this process has open.
    states
        How each trial ended; None: it runs. The run of a `tune` that has a running trial stays.
    """
    client = MlflowClient(tracking_uri)
    busy = set()
    for run in _running(client, study, TRIAL_STAGE):
        state = states.get(int(run.data.tags[TAG_TRIAL]))
        if state is None:
            busy.add(run.data.tags[TAG_PARENT])
        else:
            close_trial_runs(tracking_uri, study, int(run.data.tags[TAG_TRIAL]), state)
    for run in _running(client, study, "tune"):
        left = run.info.run_id
        if left == own or left in busy:
            continue
        for child in newest_runs(client, f"tags.`{TAG_PARENT}` = '{left}'"):
            if TAG_TRIAL in child.data.tags:
                client.set_tag(child.info.run_id, TAG_PARENT, own)
            elif child.info.status == "RUNNING":  # the best, which was being retrained
                client.set_terminated(child.info.run_id, "KILLED")
        client.set_terminated(left, "KILLED")


def _running(client: MlflowClient, study: str, stage: str) -> list[Run]:
    of_study = f"tags.`{TAG_STUDY}` = '{study}' AND tags.`{TAG_STAGE}` = '{stage}'"
    return newest_runs(client, f"attributes.status = 'RUNNING' AND {of_study}")
