"""Studies in a database: opened by name, the same one or refused; the dead of which run again."""

import functools
import json
import logging
import uuid
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from latentlaw.errors import ConfigError
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tracking.store.failures import reason_of
from latentlaw.tuning.objectives import DIRECTIONS
from latentlaw.tuning.process import State
from latentlaw.tuning.runs import close_trial_runs
from latentlaw.tuning.search import PrunerName, make_pruner

SETTINGS, KEY = "settings", "key"
_BUSY_S = 60  # that a process waits for another to have written into an SQLite file
_SILENT_BEATS = 3  # after which a trial counts as dead


class StudyRef(NamedTuple):
    """What a process needs to take part in a study, on this machine or another.

    Attributes
    ----------
    storage
        SQLAlchemy URL.
    beat_s
        Seconds between signs of life of a trial that runs.
    retries
        How often a trial is run again whose process or machine died.
    """

    storage: str
    name: str
    beat_s: int
    retries: int
    pruner: PrunerName
    epochs: int
    tracking_uri: str


@functools.cache
def open_storage(storage: str, beat_s: int, retries: int, tracking_uri: str) -> RDBStorage:
    """Open a database of studies, once per process.

    Raises
    ------
    ConfigError
        If that is not possible.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used")
    requeue = RetryHeartbeatStaleTrialCallback(max_retry=retries)

    def bury(study: optuna.Study, trial: FrozenTrial) -> None:
        close_trial_runs(tracking_uri, study_key(study), trial.number, "dead")
        trial.user_attrs = {}  # the next attempt has a run and an error of its own
        requeue(study, trial)

    arguments = {"connect_args": {"timeout": _BUSY_S}} if storage.startswith("sqlite") else {}
    try:
        return RDBStorage(
            storage,
            engine_kwargs=arguments,
            heartbeat_interval=beat_s,
            grace_period=_SILENT_BEATS * beat_s,
            heartbeat_stale_trial_callback=bury,
        )
    except (SQLAlchemyError, OptunaError, ImportError, ValueError, RuntimeError) as error:
        reason = reason_of(error)
        raise ConfigError(
            f"storage: {without_secrets(storage)} cannot be opened ({reason}); expected an "
            "SQLAlchemy URL such as sqlite:///optuna.db, of a database that answers"
        ) from error


def storage_of(ref: StudyRef) -> RDBStorage:
    """Return the database that a study is in."""
    return open_storage(ref.storage, ref.beat_s, ref.retries, ref.tracking_uri)


@functools.cache
def open_study(ref: StudyRef) -> optuna.Study:
    """Open a study that was begun, once per process: trials that have ended are read once."""
    pruner = make_pruner(ref.pruner, ref.epochs)
    return optuna.load_study(study_name=ref.name, storage=storage_of(ref), pruner=pruner)


def begin_study(ref: StudyRef, settings: Mapping[str, Any]) -> optuna.Study:
    """Begin a study, or open the one of this name if it is the same.

    Parameters
    ----------
    ref
        Its name, and the database that it is in.
    settings
        All that trials must share so that they compare, as JSON has it; `objective` among it.

    Raises
    ------
    ConfigError
        If there is one of this name with other settings; in one line that says what differs.
    """
    storage = storage_of(ref)
    asked = json.loads(json.dumps(settings))
    study = optuna.create_study(
        study_name=ref.name,
        storage=storage,
        directions=[DIRECTIONS[name] for name in asked["objective"]],
        load_if_exists=True,
    )
    found = study.user_attrs.get(SETTINGS)
    if found is None:
        if study.get_trials(deepcopy=False):
            raise ConfigError(
                f"study: found {ref.name!r}, which was made by something else; use another `study`"
            )
        study.set_metric_names(asked["objective"])
        study.set_user_attr(KEY, uuid.uuid4().hex[:8])
        study.set_user_attr(SETTINGS, asked)
        found = asked
    if differing := _differences(found, asked):
        raise ConfigError(
            f"study: found {ref.name!r} with other settings ({'; '.join(differing)}); use another "
            "`study`"
        )
    return open_study(ref)


def study_key(study: optuna.Study) -> str:
    """Return what runs are tagged with; of two studies of a name in two databases they differ."""
    return f"{study.study_name}/{study.user_attrs[KEY]}"


def trial_states(study: optuna.Study) -> dict[int, State | None]:
    """Return how each trial ended, by number; None where it has not."""
    known: dict[TrialState, State] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "dead",  # one that failed under a supervisor has a run that has ended
    }
    return {trial.number: known.get(trial.state) for trial in study.get_trials(deepcopy=False)}


def count_trials(study: optuna.Study) -> int:
    """Count the trials, begun or done; one that is run again counts once."""
    trials = study.get_trials(deepcopy=False)
    again = RetryHeartbeatStaleTrialCallback.retried_trial_number
    return sum(again(trial) is None for trial in trials)


def retry_dead(study: optuna.Study, ref: StudyRef, number: int) -> None:
    """Queue a trial again whose process died under a supervisor that lives."""
    (trial,) = (t for t in study.get_trials(states=(TrialState.FAIL,)) if t.number == number)
    bury = storage_of(ref).get_heartbeat_stale_trial_callback()
    if bury is not None:
        bury(study, trial)


def _differences(found: Any, asked: Any, key: str = "") -> list[str]:
    """Say what differs between two mappings, key by key."""
    if found == asked:
        return []
    if isinstance(found, dict) and isinstance(asked, dict):
        keys = dict.fromkeys((*found, *asked))
        inner = (
            _differences(found.get(k), asked.get(k), f"{key}.{k}" if key else k) for k in keys
        )
        return [line for lines in inner for line in lines]
    return [f"{key} was {_brief(found)}, now {_brief(asked)}"]


def _brief(value: Any) -> str:
    return (
        "absent" if value is None else json.dumps(value) if isinstance(value, list) else str(value)
    )
