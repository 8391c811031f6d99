"""One trial: its run, its process, its heartbeat, and what the study is told of it."""

import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from latentlaw.tuning.pool import trial_server
from latentlaw.tuning.process import Outcome, State
from latentlaw.tuning.runs import begin_trial_run, end_trial_run
from latentlaw.tuning.server import Request
from latentlaw.tuning.study import StudyRef, open_study, retry_dead, storage_of, study_key

RUN_ID, ERROR, MEASURES = "run_id", "error", "measures"
#: In Optuna; a trial that died has failed, and may be queued again as another.
STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "dead": TrialState.FAIL,
}


@dataclass(frozen=True)
class Task:
    """What all trials of a study have in common.

    Attributes
    ----------
    module
        `python -m MODULE` serves trials (`latentlaw.tuning.server`).
    folder, path
        Working directory of trials, and what their `PYTHONPATH` begins with.
    values
        Parameters that no trial draws.
    parent
        Id of the run of `tune`.
    """

    study: StudyRef
    objectives: tuple[str, ...]
    module: str
    folder: str
    path: str
    values: Mapping[str, Any]
    parent: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the process."""
        path = os.pathsep.join(filter(None, (self.path, os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, "MLFLOW_TRACKING_URI": self.study.tracking_uri}


@dataclass(frozen=True)
class Drawn:
    """A trial that was asked for, to be run."""

    trial_id: int
    number: int
    params: Mapping[str, Any]


class Pulse:
    """Says to the database, every so often, that a trial is alive."""

    def __init__(self, ref: StudyRef, trial_id: int) -> None:
        self._storage, self._trial_id, self._every_s = storage_of(ref), trial_id, ref.beat_s
        self._next = 0.0

    def __call__(self) -> None:
        """Say it, if it is time to."""
        if time.monotonic() >= self._next:
            self._storage.record_heartbeat(self._trial_id)
            self._next = time.monotonic() + self._every_s


def supervise(task: Task, drawn: Drawn, pool: str) -> str:
    """Run a trial of a pool to its end, whatever that is, and return a line on it."""
    study = open_study(task.study)
    trial = optuna.Trial(study, drawn.trial_id)
    if RUN_ID in trial.user_attrs:
        # Dask starts a task again whose worker died; its heartbeat will tell, and it is retried.
        return f"trial {drawn.number}: its worker died"
    uri = task.study.tracking_uri
    run_id = begin_trial_run(uri, task.parent, study_key(study), drawn.number, drawn.params)
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "trial.log"
        try:
            trial.set_user_attr(RUN_ID, run_id)
            outcome = _run(task, drawn, pool, trial, run_id, log)
            _tell(study, trial, drawn.number, outcome, task.objectives)
        except UpdateFinishedTrialError:  # somebody took it for dead, and queued it again
            outcome = Outcome("dead", error="was silent for too long and given up")
        else:
            if outcome.state == "dead":
                retry_dead(study, task.study, drawn.number)
        end_trial_run(
            uri, run_id, outcome.state, error=outcome.error, measures=outcome.measures, log=log
        )
    return _line(drawn.number, outcome, task.objectives)


def _run(
    task: Task, drawn: Drawn, pool: str, trial: optuna.Trial, run_id: str, log: Path
) -> Outcome:
    """Run the trial in this thread's process of trials."""

    def prune(epoch: int, value: float) -> bool:
        trial.report(value, epoch)
        return trial.should_prune()

    try:
        server = trial_server(pool, task.module, task.folder, task.environment)
    except OSError as error:
        return Outcome(
            "failed", error=f"{task.folder}: no trial can start here ({error.strerror or error})"
        )
    outcome = server.run(
        Request(
            values=task.values,
            drawn=drawn.params,
            objectives=task.objectives,
            prunable=task.study.pruner != "none",
            run_id=run_id,
            log=str(log),
        ),
        prune=prune,
        beat=Pulse(task.study, drawn.trial_id),
    )
    return _checked(outcome, task.objectives)


def _checked(outcome: Outcome, objectives: tuple[str, ...]) -> Outcome:
    """Make a failure of a trial that lacks an objective."""
    if outcome.state != "complete":
        return outcome
    for name in objectives:
        if not math.isfinite(outcome.measures.get(name, math.nan)):
            return Outcome(
                "failed",
                {k: v for k, v in outcome.measures.items() if math.isfinite(v)},
                f"objective: {name} is not defined on the validation data of this trial",
            )
    return outcome


def _tell(
    study: optuna.Study,
    trial: optuna.Trial,
    number: int,
    outcome: Outcome,
    objectives: tuple[str, ...],
) -> None:
    """Tell the study how a trial ended.

    Raises
    ------
    UpdateFinishedTrialError
        If the study has given it up.
    """
    if outcome.error:
        trial.set_user_attr(ERROR, outcome.error)
    if outcome.measures:
        trial.set_user_attr(MEASURES, dict(outcome.measures))
    complete = outcome.state == "complete"
    values = [outcome.measures[name] for name in objectives] if complete else None
    state = STATES[outcome.state]
    if study.tell(number, values, state, skip_if_finished=True).state != state:
        raise UpdateFinishedTrialError


def _line(number: int, outcome: Outcome, objectives: tuple[str, ...]) -> str:
    if outcome.state == "complete":
        told = ", ".join(f"{name} {outcome.measures[name]:.4g}" for name in objectives)
        return f"trial {number}: {told}"
    return f"trial {number}: {outcome.state}: {outcome.error}"
