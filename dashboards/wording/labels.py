"""Names of runs as people tell them apart: what, of which model, when, and the start of the id."""

from collections.abc import Sequence

import pandas as pd
from latentlaw.tracking.reading.queries import PARAM, is_run_id

from dashboards.wording import words
from dashboards.wording.escaping import shorten

_MODEL = PARAM + "model"
_LONGEST = 48
_MOST_TOLD = 2
_LONGEST_VALUE = 16


def run_label(run: pd.Series, told: str = "") -> str:
    """Name a run.

    Parameters
    ----------
    run
        A row of `list_runs`.
    told
        What else tells it from others of its kind.
    """
    what = shorten(" · ".join(part for part in (*_kind(run), told) if part), _LONGEST)
    return f"{what} · {run['start_time']:%d %b %H:%M} · {run['run_id'][:6]}"


def short_labels(runs: pd.DataFrame, models: pd.DataFrame | None = None) -> dict[str, str]:
    """Map run ids to labels; of runs of one name and family, parameters that differ are told.

    Parameters
    ----------
    runs
        Rows of `list_runs`.
    models
        The runs that trained the models which these are of, whose parameters count as theirs.
    """
    trained = None if models is None else models.set_index("run_id")
    told: dict[str, str] = {}
    for _, alike in called_alike(runs).groupby(["name", "family"]):
        told |= _differences(alike, trained)
    return {
        run["run_id"]: run_label(run, told.get(run["run_id"], "")) for _, run in runs.iterrows()
    }


def called_alike(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs that share name and family with another."""
    return runs[runs.duplicated(["name", "family"], keep=False)]


def models_behind(runs: pd.DataFrame) -> list[str]:
    """Return the ids of the runs that trained what these runs are of."""
    if _MODEL not in runs:
        return []
    return [model for model in runs[_MODEL].dropna().unique() if is_run_id(model)]


def _kind(run: pd.Series) -> Sequence[str]:
    name = words.stage(run["stage"]) if run["name"] in ("", run["stage"]) else run["name"]
    return (name, words.family(run["family"]))


def _differences(alike: pd.DataFrame, trained: pd.DataFrame | None) -> dict[str, str]:
    """Say of each run up to two short parameters that differ among them."""
    table = alike.set_index("run_id")
    if trained is not None and _MODEL in table:
        table = trained.reindex(table[_MODEL]).set_index(table.index).combine_first(table)
    columns = [c for c in map(str, table) if c.startswith(PARAM) and _tells(table[c])]
    # What differs most often tells most.
    columns = sorted(columns, key=lambda c: -table[c].nunique())[:_MOST_TOLD]
    return {
        str(run_id): ", ".join(
            f"{c.removeprefix(PARAM)} {row[c]}" for c in columns if pd.notna(row[c])
        )
        for run_id, row in table.iterrows()
    }


def _tells(values: pd.Series) -> bool:
    """Tell whether a parameter differs, by values that are short and no ids or paths."""
    known = values.dropna().astype(str)
    short = (known.str.len() <= _LONGEST_VALUE) & ~known.str.contains("/", regex=False)
    return bool(short.all()) and known.nunique() > 1
