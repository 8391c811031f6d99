"""Studies of parameters, as `tune` logs them: objectives, ranges and trials, while it runs too."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from latentlaw.tracking.names import OBJECTIVES, STUDY, TRIALS, on_validation
from latentlaw.tracking.reading.artifacts import (
    DamagedError,
    Missing,
    load_artifact_csv,
    load_artifact_json,
)
from latentlaw.tracking.reading.queries import METRIC, PARAM, list_children

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STATES = {"FINISHED": "COMPLETE", "RUNNING": "RUNNING", "KILLED": "PRUNED", "FAILED": "FAIL"}
_NUMBER = re.compile(r"trial (\d+)")
_REQUIRED = ("trial", "state")


@dataclass(frozen=True)
class Objective:
    """What a study makes large or small, and each parameter's share in its variance."""

    name: str
    maximise: bool
    importance: Mapping[str, float]


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes
    ----------
    parameters
        Whether each parameter's range is logarithmic, by its name.
    trials
        One row per trial: `trial` (number), `state` (as Optuna says it), one column per objective
        and parameter by their names, and `run_id`, `seconds`, `error` where they are known.
    """

    objectives: tuple[Objective, ...]
    parameters: Mapping[str, bool]
    trials: pd.DataFrame

    def complete(self) -> pd.DataFrame:
        """Return the complete trials with a number for each objective, in their order."""
        names = [each.name for each in self.objectives]
        done = self.trials[self.trials["state"] == "COMPLETE"].dropna(subset=names)
        return done.sort_values("trial", ignore_index=True)


def load_study(tracking_uri: str, run_id: str) -> Study | Missing:
    """Read a run of `tune`; while it runs, the trials are read from their runs.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    objectives = load_artifact_json(tracking_uri, run_id, OBJECTIVES)
    if isinstance(objectives, Missing):
        return objectives
    settings = load_artifact_json(tracking_uri, run_id, STUDY)
    if isinstance(settings, Missing):
        return settings
    try:
        named = _objectives(objectives)
    except (DamagedError, TypeError, KeyError, AttributeError) as error:
        return Missing(run_id, OBJECTIVES, "damaged", str(error)[:200])
    try:
        ranges = {
            str(name): bool(each.get("log", False)) for name, each in settings["space"].items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        return Missing(run_id, STUDY, "damaged", str(error)[:200])
    trials = load_artifact_csv(tracking_uri, run_id, TRIALS, _REQUIRED)
    if isinstance(trials, Missing):
        if trials.reason != "absent":
            return trials
        trials = _from_runs(list_children(tracking_uri, run_id), named, ranges)
    numbers = [each.name for each in named]
    for name in (*numbers, *ranges, "run_id", "seconds", "error"):
        if name not in trials:
            trials[name] = math.nan
    trials[numbers] = trials[numbers].apply(pd.to_numeric, errors="coerce")
    return Study(named, ranges, trials)


def _objectives(content: Any) -> tuple[Objective, ...]:
    if not isinstance(content, list) or not content:
        raise DamagedError("expected a list of objectives")
    return tuple(
        Objective(
            name=str(each["name"]),
            maximise=each["direction"] == "maximize",
            importance={str(k): float(v) for k, v in each["importance"].items()},
        )
        for each in content
    )


def _from_runs(
    children: pd.DataFrame, objectives: Sequence[Objective], ranges: Mapping[str, bool]
) -> pd.DataFrame:
    trials = children[children["stage"] == "trial"]
    numbers = trials["name"].str.extract(_NUMBER, expand=False)
    table = pd.DataFrame(
        {
            "trial": pd.to_numeric(numbers, errors="coerce"),
            "state": trials["status"].map(_STATES).fillna("RUNNING"),
            "run_id": trials["run_id"],
            "seconds": trials["seconds"],
        }
    )
    for each in objectives:
        table[each.name] = trials.get(METRIC + on_validation(each.name), math.nan)
    for name in ranges:
        values = trials.get(PARAM + name)
        if values is not None:
            known = pd.to_numeric(values, errors="coerce")
            table[name] = values if known.isna().any() else known
    return table
