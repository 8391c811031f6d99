"""Runs as a table: what they did, of which model and data, how they ended, their measures."""

from typing import Any

import pandas as pd
import streamlit as st
from latentlaw.tracking.reading.queries import METRIC

from dashboards.wording import words
from dashboards.wording.escaping import shorten

MEASURES = {
    "val/loss": "Validation loss",
    "classification/accuracy": "Accuracy",
    "classification/macro_f1": "Macro F1",
    "separation/silhouette": "Silhouette",
    "discovery/equation_accuracy": "Accuracy of equations",
}
_ROW, _TALLEST = 35, 420


def run_table(runs: pd.DataFrame, also: str = "") -> pd.DataFrame:
    """Lay runs out for a reader.

    Parameters
    ----------
    runs
        Rows of `list_runs`.
    also
        A metric that is shown besides the usual ones.
    """
    table = pd.DataFrame(
        {
            "Step": runs["stage"].map(lambda s: shorten(words.stage(s))),
            "Name": [
                "" if name == stage else shorten(name, 80)
                for name, stage in zip(runs["name"], runs["stage"], strict=True)
            ],
            "Model": runs["family"].map(lambda f: shorten(words.family(f))),
            "Data": runs["data_name"].map(lambda n: shorten(n.removesuffix(".particles.zarr"))),
            "Status": [
                words.status(status, stage)
                for status, stage in zip(runs["status"], runs["stage"], strict=True)
            ],
            "Started (UTC)": runs["start_time"].dt.tz_localize(None),
            "Took": runs["seconds"].map(duration),
        }
    )
    for metric in dict.fromkeys([*MEASURES, also]):
        if METRIC + metric in runs and runs[METRIC + metric].notna().any():
            table[MEASURES.get(metric, shorten(metric, 30))] = runs[METRIC + metric]
    table["Run"] = runs["run_id"].str[:8]
    return table if table["Name"].any() else table.drop(columns="Name")


def table_options(table: pd.DataFrame) -> dict[str, Any]:
    """Return how Streamlit shows such a table."""
    numbers = table.select_dtypes("number").columns
    return {
        "hide_index": True,
        "placeholder": "",
        "height": min(_TALLEST, 38 + _ROW * max(1, len(table))),
        "column_config": {
            "Started (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            **{name: st.column_config.NumberColumn(format="%.3f") for name in numbers},
        },
    }


def duration(seconds: float) -> str:
    """Write seconds as people say them; nothing for NaN.

    >>> duration(42.3), duration(150), duration(7300)
    ('42 s', '2 min 30 s', '2 h 01 min')
    """
    if pd.isna(seconds):
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
