"""What a study found: the best trial, a table of all, and Optuna's figures as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
from optuna import visualization
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

Figure = Any  # of Plotly, which has no types


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the best trial; of several objectives, the front's trial closest to the ideal point.

    The ideal has the best value that each objective took on the Pareto front; distances are
    Euclidean, each objective in units of its range on the front (compromise programming: Zeleny,
    Multiple Criteria Decision Making, 1973). None where no trial is complete.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    if len(study.directions) == 1:
        return study.best_trial
    front = study.best_trials
    signs = [1 if each == StudyDirection.MINIMIZE else -1 for each in study.directions]
    costs = np.array([trial.values for trial in front]) * signs
    span = np.ptp(costs, axis=0)
    distances = np.linalg.norm((costs - costs.min(axis=0)) / np.where(span > 0, span, 1.0), axis=1)
    return front[int(distances.argmin())]


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Return a row a trial: number, state, seconds, objectives, parameters, run and error."""
    names = study.metric_names or []
    rows = []
    for trial in study.get_trials(deepcopy=False):
        values = trial.values or [None] * len(names)
        rows.append(
            {
                "trial": trial.number,
                "state": trial.state.name,
                "seconds": trial.duration.total_seconds() if trial.duration else None,
                **dict(zip(names, values, strict=True)),
                **trial.params,
                "epochs_told": len(trial.intermediate_values),
                "run_id": trial.user_attrs.get("run_id"),
                "error": trial.user_attrs.get("error"),
                "measures": json.dumps(trial.user_attrs.get("measures", {})),
            }
        )
    return pd.DataFrame(rows)


def figures(study: optuna.Study) -> dict[str, Figure]:
    """Return Optuna's figures by name, those that the trials so far allow."""
    names = study.metric_names or []
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not trials:
        return {}
    made: dict[str, Figure] = {}
    for place, name in enumerate(names):
        suffix = "" if len(names) == 1 else f"_{name.rpartition('/')[2]}"

        def value(trial: FrozenTrial, place: int = place) -> float:
            return float(trial.values[place])

        of_one: dict[str, Callable[..., Figure]] = {
            "history": visualization.plot_optimization_history,
            "parallel_coordinates": visualization.plot_parallel_coordinate,
        }
        if len({value(trial) for trial in trials}) > 1:
            of_one["importance"] = visualization.plot_param_importances
        for kind, plot in of_one.items():
            made[kind + suffix] = plot(study, target=value, target_name=name)
    if len(names) in (2, 3):
        made["pareto_front"] = visualization.plot_pareto_front(study)
    if any(trial.intermediate_values for trial in trials):
        made["epochs"] = visualization.plot_intermediate_values(study)
    return made
