"""Measures of separation and classification of several runs, the better ones marked."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboards.charts.palette import BETTER
from dashboards.tables.measures import MEASURES, best_runs, measures_table


def show(picked: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Show one row per measure, one column per run, with the better value marked."""
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
