"""Runs: find them, compare their parameters, follow their losses."""

from typing import Any

import pandas as pd
import streamlit as st
from latentlaw.tracking.queries import METRIC

from dashboards import charts, state
from dashboards.measures import differing_parameters
from dashboards.text import for_markdown, shorten

_KEY_METRICS = {
    "val/loss": "Validation loss",
    "classification/accuracy": "Accuracy",
    "separation/silhouette": "Silhouette",
    "discovery/accuracy_ratio": "Share of black box",
}
_PAGE = "runs"
_VERSION = f"{_PAGE}-table-version"
_FOLLOW_S = 15
_DIFFERS = "background-color: #FCE8C5; color: #202020"


def render() -> None:
    """Show the page."""
    st.title("Runs")
    runs = state.read_runs()
    if runs.empty:
        st.info(
            "No runs yet: `mlflow run .` simulates tomograms and takes them through all steps."
        )
        return
    shown = _filter(runs)
    above = st.container()
    picked = state.pick_runs(
        _PAGE, runs, newest=0, label="Runs to compare", on_change=_forget_table
    )
    with above:
        _table(shown, list(picked["run_id"]))
    if picked.empty:
        st.info("Pick runs, in the table or above, to compare their parameters and losses.")
        return
    _children(picked)
    _parameters(picked)
    running = (picked["status"] == "RUNNING").any()
    st.fragment(_losses, run_every=_FOLLOW_S if running else None)(picked)


def _forget_table() -> None:
    """Draw the table anew, with the rows that are picked now."""
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def _filter(runs: pd.DataFrame) -> pd.DataFrame:
    left, right = st.columns([1, 2])
    stages = left.multiselect("Stage", sorted(runs["stage"].unique()), placeholder="All stages")
    text = right.text_input("Search", placeholder="Name, model, data digest, status or run id")
    shown = runs[runs["stage"].isin(stages)] if stages else runs
    if text:
        columns = ["name", "family", "data_digest", "status", "run_id", "experiment"]
        joined = shown[columns].astype(str).agg(" ".join, axis=1).str.lower()
        shown = shown[joined.str.contains(text.lower(), regex=False)]
    return shown


def _columns(runs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    table = pd.DataFrame(
        {
            "Stage": runs["stage"].map(shorten),
            "Name": runs["name"].map(lambda t: shorten(t, 80)),
            "Model": runs["family"].map(shorten),
            "Data": runs["data_digest"].str[:8],
            "Status": runs["status"].str.capitalize(),
            "Started (UTC)": runs["start_time"].dt.tz_localize(None),
            "Run": runs["run_id"].str[:8],
        }
    )
    config: dict[str, Any] = {
        "Started (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
    }
    for metric, label in _KEY_METRICS.items():
        if METRIC + metric in runs and runs[METRIC + metric].notna().any():
            table[label] = runs[METRIC + metric]
            config[label] = st.column_config.NumberColumn(format="%.3f")
    return table, config


def _table(shown: pd.DataFrame, picked: list[str]) -> None:
    if shown.empty:
        st.info("No run matches: clear the stage or the search.")
        return
    table, config = _columns(shown)
    ids = list(shown["run_id"])
    key = f"{_PAGE}-table-{st.session_state.get(_VERSION, 0)}-{hash(tuple(ids))}"

    def take() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        hidden = [r for r in st.session_state.get(f"{_PAGE}-runs", ()) if r not in ids]
        st.session_state[f"{_PAGE}-runs"] = hidden + [ids[row] for row in rows]

    st.dataframe(
        table,
        hide_index=True,
        column_config=config,
        placeholder="",
        height=min(420, 38 + 35 * len(table)),
        on_select=take,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(r) for r in picked if r in ids]}},
        key=key,
    )


def _children(picked: pd.DataFrame) -> None:
    for run_id, label in state.short_labels(picked[picked["stage"] == "main"]).items():
        children = state.read_children(run_id)
        if not children.empty:
            st.subheader(f"Steps of {for_markdown(label)}")
            table, config = _columns(children)
            st.dataframe(table, hide_index=True, column_config=config, placeholder="")


def _parameters(picked: pd.DataFrame) -> None:
    st.subheader("Parameters")
    table = differing_parameters(picked)
    if table.empty:
        st.caption("These runs recorded no parameters.")
        return
    differs = table.pop("differs")
    if len(picked) > 1:
        st.caption(
            f"{int(differs.sum())} of {len(table)} differ: first, and on a coloured ground."
        )
    table = table.map(lambda value: shorten(value, 200)).rename(columns=state.short_labels(picked))
    styled = table.style.apply(
        lambda row: [_DIFFERS if differs[row.name] else ""] * len(row), axis=1
    )
    st.dataframe(styled, height=min(420, 38 + 35 * len(table)))


def _losses(picked: pd.DataFrame) -> None:
    histories = {
        label: history
        for run_id, label in state.short_labels(picked).items()
        if not (history := state.read_history(run_id)).empty
    }
    if not histories:
        return
    st.subheader("Losses")
    st.caption("Solid: training data. Dashed: validation data.")
    st.plotly_chart(charts.loss_curves(histories), alt="Loss and its terms against epoch")


if __name__ == "__main__":
    render()
