"""What a study found: the best trial, a table of all, and Optuna's figures as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
from optuna import visualization
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

Figure = Any  # of Plotly, which has no types
_SLACK = 0.02


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the best trial; of several objectives, the earlier ones count first.

    Of the Pareto front those within 2 % of the best value of the first objective are kept, of
    these those within 2 % of the best of the second, and so on; the last is the best outright (the
    lexicographic method with tolerances: Marler & Arora, Struct. Multidisc. Optim. 26, 2004). So
    `pareto` takes the shortest equations that lose next to no accuracy. None where no trial is
    complete.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    if len(study.directions) == 1:
        return study.best_trial
    left = study.best_trials
    for place, direction in enumerate(study.directions):
        costs = [_sign(direction) * trial.values[place] for trial in left]
        last = place == len(study.directions) - 1
        most = min(costs) + (0.0 if last else _SLACK * abs(min(costs)))
        left = [trial for trial, cost in zip(left, costs, strict=True) if cost <= most]
    return left[0]


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Return one row per trial: number, state, seconds, objectives, parameters, run and error."""
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


def objective_records(study: optuna.Study) -> list[dict[str, Any]]:
    """Return of each objective its name, its direction and what its value depends on.

    `importance` gives each parameter its share, which sum to 1, by fANOVA (Hutter et al., ICML
    2014); none before two complete trials differ.
    """
    records = []
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for place, name in enumerate(study.metric_names or []):

        def cost(trial: FrozenTrial, place: int = place) -> float:
            return _sign(study.directions[place]) * float(trial.values[place])

        told = len(set(map(cost, trials))) > 1
        shares = optuna.importance.get_param_importances(study, target=cost) if told else {}
        direction = study.directions[place].name.lower()
        records.append({"name": name, "direction": direction, "importance": dict(shares)})
    return records


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

        def cost(trial: FrozenTrial, place: int = place) -> float:
            return _sign(study.directions[place]) * float(trial.values[place])

        of_one: dict[str, Callable[..., Figure]] = {
            "history": visualization.plot_optimization_history,
            "parallel_coordinates": visualization.plot_parallel_coordinate,
        }
        for kind, plot in of_one.items():
            made[kind + suffix] = plot(study, target=value, target_name=name)
        if len(set(map(value, trials))) > 1:
            # Importance is of what makes its target low.
            made["importance" + suffix] = visualization.plot_param_importances(
                study, target=cost, target_name=name
            )
    if len(names) in (2, 3):
        made["pareto_front"] = visualization.plot_pareto_front(study)
    if any(trial.intermediate_values for trial in trials):
        made["epochs"] = visualization.plot_intermediate_values(study)
    return made


def _sign(direction: StudyDirection) -> int:
    """Return what a value is multiplied by so that less of it is better."""
    return 1 if direction == StudyDirection.MINIMIZE else -1
