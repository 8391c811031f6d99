"""Versions of a registered model, and its aliases, whose history is kept.

MLflow says only which version holds an alias now. The moves are in a tag of the registered model,
so that "the version before" means something, and a rollback can be followed by another.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from latentlaw.errors import RegistryError
from latentlaw.tracking.names import MODEL

CANDIDATE = "candidate"
PREVIOUS = "previous"
#: MLflow's limits of a description and of a tag's value, in characters.
LONGEST_DESCRIPTION = LONGEST_TAG = 5000
_HISTORY_TAG = "latentlaw.history."
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

T = TypeVar("T")
How = Literal["gate", "rollback", "other"]


@dataclass(frozen=True)
class Move:
    """An alias came to a version: through the gate, by a rollback, or by other means."""

    version: str
    how: How
    at: int  # seconds since 1970, UTC


def holder_of(name: str, alias: str) -> ModelVersion | None:
    """Return the version that holds an alias; None if no version does.

    Raises
    ------
    RegistryError
        If the alias names a version that is not there.
    """
    version = _aliases(name).get(alias)
    if version is None:
        return None
    found = _version(name, version)
    if found is None:
        raise RegistryError(
            f"models:/{name}@{alias}: found version {version}, which is not there; go back to "
            f"one that is by `rollback`"
        )
    return found


def add_version(run_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Register the model of a run as a version, which becomes `candidate`; return its number.

    Raises
    ------
    RegistryError
        If the run has no model.
    """
    try:
        made = mlflow.register_model(f"runs:/{run_id}/{MODEL}", name, tags=dict(tags))
    except MlflowException as error:
        raise RegistryError(
            f"run {run_id!r}: found no model to register ({error.message})"
        ) from error
    version = str(made.version)
    MlflowClient().set_registered_model_alias(name, CANDIDATE, version)
    return version


def describe_version(name: str, version: str, text: str) -> None:
    """Set a version's description.

    Raises
    ------
    RegistryError
        If it is longer than a database holds.
    """
    if len(text) > LONGEST_DESCRIPTION:
        raise RegistryError(
            f"description of {name} {version}: found {len(text)} characters, expected at most "
            f"{LONGEST_DESCRIPTION}"
        )
    MlflowClient().update_model_version(name, version, description=text)


def move_alias(
    name: str, alias: str, version: str, how: How, *, seen: str | None
) -> tuple[Move, ...]:
    """Move an alias, keep that in its history, and return the history.

    Parameters
    ----------
    name, alias, version
        Of the registered model; the alias goes to the version.
    how
        What moved it, for the history.
    seen
        The version that held the alias when this move was decided.

    Raises
    ------
    RegistryError
        If another holds it by now: the decision was about a state that is gone.
    """
    now = _aliases(name).get(alias)
    if now != seen:
        raise RegistryError(
            f"models:/{name}@{alias}: found version {now} meanwhile, expected {seen}; version "
            f"{version} stays where it is, run the command again"
        )
    moves = (*history(name, alias), Move(version, how, int(time.time())))
    client = MlflowClient()
    client.set_registered_model_alias(name, alias, version)
    client.set_registered_model_tag(name, _HISTORY_TAG + alias, _fitting(moves))
    return moves


def history(name: str, alias: str) -> tuple[Move, ...]:
    """Return an alias's moves, oldest first; a move by other means than ours is the last one."""
    model = _registered(name)
    if model is None:
        return ()
    moves = tuple(Move(**each) for each in json.loads(model.tags.get(_HISTORY_TAG + alias, "[]")))
    now = _aliases(name).get(alias)
    if now is not None and (not moves or moves[-1].version != now):
        moves += (Move(now, "other", 0),)
    return moves


def standing(moves: tuple[Move, ...]) -> list[str]:
    """Return the versions that the last one stands on, itself last.

    A rollback withdraws those after the version that it went to: 1, 2, 3, back to 2 leaves 1, 2.
    """
    stack: list[str] = []
    for move in moves:
        if move.how == "rollback" and move.version in stack:
            del stack[stack.index(move.version) + 1 :]
        else:
            stack = [each for each in stack if each != move.version] + [move.version]
    return stack


@dataclass(frozen=True)
class Return:
    """A way back: the version that holds an alias now, if any does, and the one to go to."""

    now: str | None
    to: str


def way_back(name: str, alias: str, to: str) -> Return:
    """Find the version to go back to: one that held the alias, or the one `previous` to now.

    Raises
    ------
    RegistryError
        If the version never held the alias, holds it now or is not there, or none came before.
    """
    moves = history(name, alias)
    held = list(dict.fromkeys(move.version for move in moves))
    now = _aliases(name).get(alias)
    if not held:
        raise RegistryError(
            f"models:/{name}@{alias}: found no version that ever held it; `register` a run first"
        )
    if to == PREVIOUS:
        before = [each for each in standing(moves) if each != now]
        there = [each for each in before if _version(name, each) is not None]
        if not there:
            raise RegistryError(
                f"models:/{name}@{alias}: found none left that held it before version {now}; "
                "`register` another run"
            )
        return Return(now, there[-1])
    if to not in held:
        raise RegistryError(
            f"to: found version {to} of {name}, which never held {alias!r}, expected {PREVIOUS} "
            f"or one of {', '.join(held)}; `register` its run to put it through the gate"
        )
    if to == now:
        raise RegistryError(
            f"to: found version {to} of {name}, which holds {alias!r} now; name another, or leave "
            "it out"
        )
    if _version(name, to) is None:
        raise RegistryError(
            f"to: found version {to} of {name}, which is not there any more, expected one of "
            f"{', '.join(each for each in held if each != to)}"
        )
    return Return(now, to)


def _aliases(name: str) -> dict[str, str]:
    """Return the versions by alias; empty where there is no such registered model."""
    model = _registered(name)
    return {} if model is None else {key: str(value) for key, value in model.aliases.items()}


def _registered(name: str) -> RegisteredModel | None:
    return _or_none(lambda: MlflowClient().get_registered_model(name))


def _version(name: str, version: str) -> ModelVersion | None:
    return _or_none(lambda: MlflowClient().get_model_version(name, version))


def _or_none(ask: Callable[[], T]) -> T | None:
    """Return what the registry has; None if it says that it has not, and no other error."""
    try:
        return ask()
    except MlflowException as error:
        if error.error_code in _NOT_THERE:
            return None
        raise


def _fitting(moves: tuple[Move, ...]) -> str:
    """Write the newest moves that a tag holds."""
    for first in range(len(moves)):
        text = json.dumps([asdict(move) for move in moves[first:]])
        if len(text) <= LONGEST_TAG:
            return text
    return "[]"
