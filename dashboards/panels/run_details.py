"""What the runs that were picked are: parameters, losses, steps and lineage."""

import pandas as pd
import streamlit as st
from latentlaw.tracking.names import HOLDERS
from latentlaw.tracking.recording.processes import is_gone

from dashboards.charts import lineage, losses
from dashboards.charts.palette import DIFFERS
from dashboards.panels.controls import download_csv
from dashboards.panels.picks import short_labels
from dashboards.panels.run_table import run_table, table_options
from dashboards.reading import store
from dashboards.tables.measures import differing_parameters
from dashboards.wording.escaping import for_markdown, shorten
from dashboards.wording.labels import run_label

_FOLLOW_S = 5
_MOST_CHILDREN = 200


def parameters(picked: pd.DataFrame) -> None:
    """Show parameters side by side, those that differ first."""
    table = differing_parameters(picked)
    if table.empty:
        st.info("These runs recorded no parameters: they were cut off, or are none of ours.")
        return
    differs = table.pop("differs")
    if len(picked) > 1:
        only = st.toggle(
            f"Only the {int(differs.sum())} of {len(table)} that differ",
            key="differing",
            bind="query-params",
        )
        table = table[differs] if only else table
    table = table.map(lambda value: shorten(value, 200)).rename(columns=short_labels(picked))
    styled = table.style.apply(
        lambda row: [DIFFERS if differs[row.name] else ""] * len(row), axis=1
    )
    st.dataframe(styled, height=min(420, 38 + 35 * len(table)), placeholder="")
    download_csv(table.reset_index(), "parameters.csv", key="download-parameters")


def show_losses(picked: pd.DataFrame) -> None:
    """Show loss curves, which follow runs that train."""
    running = bool((picked["status"] == "RUNNING").any())
    st.fragment(_losses, run_every=_FOLLOW_S if running else None)(picked, follows=running)


def _losses(picked: pd.DataFrame, *, follows: bool) -> None:
    histories = {
        label: history
        for run_id, label in short_labels(picked).items()
        if not (history := store.read_history(run_id)).empty
    }
    if not histories:
        st.info(
            "No loss curves: pick a run of train. One that has just begun shows after its "
            "first epoch."
        )
        return
    live = f" Read anew every {_FOLLOW_S} seconds." if follows else ""
    st.caption(f"Solid: training data. Dashed: validation data.{live}")
    st.plotly_chart(losses.loss_curves(histories), alt="Loss and its terms against epoch")


def steps(picked: pd.DataFrame) -> None:
    """Show the steps, folds or trials of runs that hold others."""
    holders = picked[picked["stage"].isin(HOLDERS)]
    if holders.empty:
        st.info("None of these runs has steps: pick one of the whole pipeline, or a study.")
        return
    for run_id, label in short_labels(holders).items():
        st.markdown(f"**{for_markdown(label, 120)}**")
        children = store.read_children(run_id)
        if children.empty:
            st.caption("No step was recorded.")
            continue
        table = run_table(children)
        st.dataframe(table, **table_options(table), key=f"steps-{run_id}")
        if len(children) >= _MOST_CHILDREN:
            st.caption(f"The first {_MOST_CHILDREN}.")
        download_csv(table, f"steps_{run_id[:8]}.csv", key=f"download-steps-{run_id[:8]}")


def show_lineage(picked: pd.DataFrame) -> None:
    """Show where a run comes from and what came of it."""
    labels = short_labels(picked)
    ids = list(labels)
    run_id = ids[0]
    if len(ids) > 1:
        run_id = st.selectbox("Of", ids, format_func=lambda r: labels[r], key="lineage-of")
    found = store.read_lineage(run_id)
    if len(found.nodes) < 2:
        st.info("Nothing is recorded that this run was made from, or that was made of it.")
        return
    dark = st.context.theme.type == "dark"
    st.caption(
        "From left to right: what was used, and what came of it. A box leads to its runs or "
        "model; the thick one is this run. Green: data. Blue: runs. Red: registered versions."
    )
    st.graphviz_chart(
        lineage.lineage_dot(found, run_id, dark=dark),
        width="content",
        alt="Lineage, from data to registered versions",
    )
    if found.cut:
        st.caption("There is more: only the first 40 are drawn.")


def missing(picked: pd.DataFrame) -> None:
    """Say of each run that is not whole what that means."""
    for _, run in picked.iterrows():
        name = for_markdown(run_label(run), 120)
        if run["stage"] == "unknown":
            st.warning(
                f"{name} is half-written: it has no step. `mlflow run` leaves an empty run where "
                "an older one went on; a process that died at its start does too."
            )
        elif run["status"] == "RUNNING" and run["process"] and is_gone(run["process"]):
            st.warning(
                f"{name} says that it runs, but its process on this machine is gone: "
                "`mlflow run . -e doctor` marks it stopped."
            )
