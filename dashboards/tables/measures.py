"""What the pages compute: differences of parameters, better values, Pareto fronts."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
from latentlaw.discovery import pareto
from latentlaw.tracking.reading.queries import METRIC, PARAM

# Metric: its name in the field's words, with its unit, and whether higher is better.
MEASURES: dict[str, tuple[str, bool]] = {
    "separation/silhouette": ("Silhouette (cosine distance)", True),
    "separation/davies_bouldin": ("Davies-Bouldin index", False),
    "separation/calinski_harabasz": ("Calinski-Harabasz index", True),
    "separation/affinity_spearman": ("Rank correlation with the affinity (Spearman)", True),
    "classification/accuracy": ("Accuracy", True),
    "classification/macro_f1": ("Macro F1", True),
    "rotation/latent_cosine": ("Latent cosine under rotation", True),
    "pose/median_error_deg": ("Median pose error (degrees)", False),
    "novelty/auroc": ("Novelty AUROC", True),
}
_SAME = 1e-12
# What is no measure of clusters, but an objective or a column.
_OTHERS = {
    "affinity/residual": "Distance of latent similarities from the affinity",
    "val/loss": "Validation loss",
    "val/reconstruction": "Validation reconstruction error",
    "discovery/equation_accuracy": "Accuracy of equations",
    "discovery/equation_macro_f1": "Macro F1 of equations",
    "discovery/equation_balanced_accuracy": "Balanced accuracy of equations",
    "discovery/equation_log_loss": "Log loss of equations (nats)",
    "discovery/equation_complexity": "Complexity of equations (nodes)",
    "discovery/equation_complexity_largest": "Nodes of the largest equation",
    "discovery/accuracy_ratio": "Equations' share of the black box",
}


def measure_title(metric: str) -> str:
    """Return the field's name of a metric, with its unit; a metric without one is named itself."""
    if metric in MEASURES:
        return MEASURES[metric][0]
    return _OTHERS.get(metric, metric)


def differing_parameters(runs: pd.DataFrame) -> pd.DataFrame:
    """Lay the runs' parameters side by side, those that differ first.

    Parameters
    ----------
    runs
        Rows of `list_runs`.

    Returns
    -------
    DataFrame
        One row per parameter, one column per run id (text, empty where a run lacks it) and a first
        column `differs`.
    """
    columns = [c for c in runs.columns if c.startswith(PARAM) and runs[c].notna().any()]
    table = runs.set_index("run_id")[columns].T
    table.index = pd.Index([str(c).removeprefix(PARAM) for c in columns], name="parameter")
    table = table.astype(object).where(table.notna(), "").astype(str)
    differs = table.nunique(axis=1) > 1
    table.insert(0, "differs", differs)
    table = table.sort_index()
    return table.sort_values("differs", ascending=False, kind="stable")


def measures_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Lay evaluation measures side by side.

    Returns
    -------
    DataFrame
        One row per measure that any run has, indexed by metric; one column per run id; NaN where a
        run lacks it.
    """
    names = [m for m in MEASURES if METRIC + m in runs and runs[METRIC + m].notna().any()]
    table = runs.set_index("run_id")[[METRIC + m for m in names]].T.astype(float)
    table.index = pd.Index(names, name="measure")
    return table


def best_runs(values: pd.Series, *, higher_is_better: bool) -> set[Hashable]:
    """Name the runs with the best value: none if fewer than two have one, or all are equal."""
    known = values.dropna()
    if len(known) < 2 or known.max() - known.min() <= _SAME:
        return set()
    best = known.max() if higher_is_better else known.min()
    return set(known.index[(known - best).abs() <= _SAME])


def pareto_front(frontier: pd.DataFrame) -> pd.DataFrame:
    """Keep the models that no simpler one matches in accuracy, from simple to complex."""
    cost, accuracy = frontier["complexity"].to_numpy(), frontier["accuracy"].to_numpy()
    front = pareto.pareto_front(range(len(frontier)), lambda row: (cost[row], -accuracy[row]))
    return frontier.iloc[front]


def black_box_accuracy(frontier: pd.DataFrame, logged: float | None) -> float | None:
    """Return the black box's accuracy: as logged, else that of the most complex model."""
    if logged is not None and np.isfinite(logged):
        return float(logged)
    if frontier.empty:
        return None
    return float(frontier["accuracy"].iloc[int(frontier["complexity"].argmax())])


def simplest_above(frontier: pd.DataFrame, accuracy: float) -> pd.Series | None:
    """Return the model of least complexity that reaches `accuracy`, or None."""
    able = frontier[frontier["accuracy"] >= accuracy - _SAME]
    if able.empty:
        return None
    return able.sort_values(["complexity", "accuracy"], ascending=[True, False]).iloc[0]
