"""What models have in common over folds and seeds: means with intervals, as tables and records."""

from typing import Any

import numpy as np
import pandas as pd
from latentlaw.evaluation.scores.intervals import mean_interval, ratio_interval

#: As records of a fold name the models that were chosen there.
BLACK_BOX, EQUATION = "black box", "equations"
SCORES = ("balanced_accuracy", "accuracy", "macro_f1")


def summarise(every: pd.DataFrame) -> pd.DataFrame:
    """Return one row per task and model: means over folds and seeds with bootstrap intervals.

    Parameters
    ----------
    every
        One row per task, seed, fold and model, with `SCORES`, `complexity` and `nodes`. A model
        that some fold lacks is left out.
    """
    rows = []
    for task, of_task in every.groupby("task", sort=False):
        folds = of_task.groupby(["seed", "fold"]).ngroups
        black = of_task[of_task["model"] == BLACK_BOX].set_index(["seed", "fold"])
        for model, part in of_task.groupby("model", sort=False):
            if len(part) < folds:
                continue
            family = part["family"].iloc[0]
            row: dict[str, Any] = {"task": task, "model": model, "family": family}
            ordered = part.set_index(["seed", "fold"]).loc[black.index]
            for score in SCORES:
                found = mean_interval(ordered[score].to_numpy())
                row |= {score: found.mean, f"{score}_low": found.low, f"{score}_high": found.high}
            found = ratio_interval(
                ordered["balanced_accuracy"].to_numpy(), black["balanced_accuracy"].to_numpy()
            )
            row |= {"ratio": found.mean, "ratio_low": found.low, "ratio_high": found.high}
            row |= {"complexity": ordered["complexity"].mean(), "nodes": ordered["nodes"].max()}
            rows.append(row)
    return pd.DataFrame(rows)


def shown(part: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of one task as text, one row per model."""
    cells = {
        score: [
            f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            for mean, low, high in zip(
                part[score], part[f"{score}_low"], part[f"{score}_high"], strict=True
            )
        ]
        for score in (*SCORES, "ratio")
    }
    cells["complexity"] = [f"{value:.0f}" for value in part["complexity"]]
    cells["nodes of an expression, at most"] = [
        "" if np.isnan(value) else f"{value:.0f}" for value in part["nodes"]
    ]
    return pd.DataFrame(cells, index=pd.Index(part["model"]))


def frontier(part: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the records of `frontier.json`, with the intervals of accuracy."""
    return [
        {
            "family": row["family"],
            "name": row["model"],
            "complexity": round(row["complexity"]),
            **{key: row[key] for key in (*SCORES, "accuracy_low", "accuracy_high")},
        }
        for _, row in part.iterrows()
    ]
