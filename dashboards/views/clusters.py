"""Clusters: embeddings of runs side by side, their separation, and the affinity they learned."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import charts, state
from dashboards.measures import MEASURES, best_runs, measures_table
from dashboards.palette import BETTER
from dashboards.text import for_markdown

_COLOURS = {"Class": "label", "Split": "split"}
_PER_ROW = 3


def render() -> None:
    """Show the page."""
    st.title("Clusters")
    runs = state.read_runs("evaluate")
    if runs.empty:
        st.info("No evaluate runs yet: run `mlflow run . -e evaluate -P model=RUN_ID`")
        return
    left, right = st.columns([4, 1])
    with left:
        picked = state.pick_runs("clusters", runs, newest=2, label="Evaluate runs, side by side")
    colour = right.radio("Colour by", list(_COLOURS), horizontal=True)
    if picked.empty:
        st.info("Pick at least one evaluate run.")
        return
    labels = state.short_labels(picked)
    st.subheader("Embedding")
    st.caption(
        "A particle a point. Large and outlined: data that the model never saw. "
        "Small and faint: training and validation data."
    )
    _embeddings(labels, _COLOURS[colour])
    st.subheader("Separation and classification")
    _measures(picked, labels)
    st.subheader("Affinity: prior and learned")
    for run_id, label in labels.items():
        _affinity(run_id, label)


def _embeddings(labels: dict[str, str], colour: str) -> None:
    ids = list(labels)
    tables: dict[str, Any] = {}
    for start in range(0, len(ids), _PER_ROW):
        row = ids[start : start + _PER_ROW]
        for run_id, column in zip(row, st.columns(len(row)), strict=True):
            with column:
                st.markdown(f"**{for_markdown(labels[run_id])}**")
                tables[run_id] = (state.read_artifact(run_id, "load_embeddings"), column)
    order = charts.categories([t for t, _ in tables.values() if t is not None], colour)
    for run_id, (table, column) in tables.items():
        if table is not None:
            figure = charts.embedding_scatter(table, colour, order)
            column.plotly_chart(figure, key=f"embedding-{run_id}", alt="Embedding")


def _measures(picked: pd.DataFrame, labels: dict[str, str]) -> None:
    table = measures_table(picked)
    if table.empty:
        st.info("These runs recorded no measures.")
        return
    shown = pd.DataFrame("", index=table.index, columns=table.columns)
    styles = shown.copy()
    for measure, values in table.iterrows():
        best = best_runs(values, higher_is_better=MEASURES[str(measure)][1])
        for run_id, value in values.items():
            mark = " ✓" if run_id in best else ""
            shown.loc[measure, run_id] = _number(value) + mark
            styles.loc[measure, run_id] = BETTER if mark else ""
    names = [f"{MEASURES[m][0]} {'↑' if MEASURES[m][1] else '↓'}" for m in table.index]
    for frame in (shown, styles):
        frame.index = pd.Index(names, name="Measure")
        frame.columns = pd.Index([labels[str(c)] for c in frame.columns])
    st.caption("↑ higher is better, ↓ lower is better, ✓ the better of the runs.")
    st.dataframe(shown.style.apply(lambda _: styles, axis=None), height=38 + 35 * len(shown))


def _number(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"


def _affinity(run_id: str, label: str) -> None:
    st.markdown(f"**{for_markdown(label)}**")
    affinity = state.read_artifact(run_id, "load_affinity")
    if affinity is None:
        return
    used, learned = affinity.used, affinity.learned
    panels = []
    if used is not None:
        panels.append(("Prior, as used in training", used, False))
    else:
        st.caption("This model was trained without an affinity prior.")
    if learned is not None:
        panels.append(("Learned (cosines)", learned, False))
    if used is not None and learned is not None:
        panels.append(("Learned minus prior", learned - used, True))
    if not panels:
        return
    columns = st.columns(3)
    for (title, matrix, difference), column in zip(panels, columns, strict=False):
        figure = charts.affinity_heatmap(matrix, affinity.class_names, difference=difference)
        column.caption(title)
        column.plotly_chart(figure, key=f"affinity-{run_id}-{title}", alt=title)


if __name__ == "__main__":
    render()
