"""Runs: find them among any number, compare their parameters, follow losses and lineage."""

import pandas as pd
import streamlit as st
from latentlaw.tracking.reading.run_query import RunQuery

from dashboards.panels import run_details, run_filters
from dashboards.panels.picks import pick_runs
from dashboards.panels.run_table import run_table, table_options
from dashboards.reading import store

_PAGE = "runs"
_ROWS = 50
_VERSION = f"{_PAGE}-table-version"
_TABS = {
    "Parameters": run_details.parameters,
    "Losses": run_details.show_losses,
    "Lineage": run_details.show_lineage,
    "Steps and trials": run_details.steps,
}


def render() -> None:
    """Show the page."""
    st.title("Runs")
    query = run_filters.ask()
    here = max(1, int(st.session_state.get(run_filters.PAGE_KEY) or 1))
    found = store.search_runs(query, offset=(here - 1) * _ROWS, limit=_ROWS)
    if found.runs.empty and found.total and here > 1:
        st.session_state[run_filters.PAGE_KEY] = here = 1  # a link to a page that is no more
        found = store.search_runs(query, offset=0, limit=_ROWS)
    above = st.container()
    known = _with_picked(found.runs)
    if known.empty:
        with above:
            _nothing(query)
        return
    picked = pick_runs(_PAGE, known, newest=0, label="Compare", on_change=_forget_table)
    with above:
        _table(found.runs, list(picked["run_id"]), query.metric or query.order.key)
        _turn_pages(found.total, len(found.runs), here)
    if picked.empty:
        st.info("Pick runs, in the table or by name, to see and compare them.")
        return
    run_details.missing(picked)
    tabs = st.tabs(list(_TABS), key="show", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, _TABS.values(), strict=True):
        if tab.open:
            with tab:
                show(picked)


def _nothing(query: RunQuery) -> None:
    asks = RunQuery(experiment=query.experiment, order=query.order) != query
    if asks:
        st.info("No run matches: clear a filter.")
        return
    st.info(
        "No runs yet: `mlflow run .` simulates tomograms and takes them through all steps. "
        "Runs that are elsewhere: set `MLFLOW_TRACKING_URI`, or choose another experiment "
        "under More."
    )


def _with_picked(found: pd.DataFrame) -> pd.DataFrame:
    """Add the runs that were picked before, or that the URL names, to those that are listed."""
    kept = st.session_state.get(f"{_PAGE}-runs")
    if kept is None:
        kept = store.asked_runs() or st.session_state.get(f"{_PAGE}-runs-kept") or []
    lacking = [run for run in kept if run not in set(found["run_id"])]
    if not lacking:
        return found
    return pd.concat([found, store.read_by_id(lacking)], ignore_index=True)


def _forget_table() -> None:
    """Draw the table anew, with the rows that are picked now."""
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def _table(shown: pd.DataFrame, picked: list[str], metric: str) -> None:
    if shown.empty:
        st.info("No run matches: clear a filter.")
        return
    table = run_table(shown, metric)
    ids = list(shown["run_id"])
    key = f"{_PAGE}-table-{st.session_state.get(_VERSION, 0)}-{hash(tuple(ids))}"

    def take() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        hidden = [r for r in st.session_state.get(f"{_PAGE}-runs", ()) if r not in ids]
        st.session_state[f"{_PAGE}-runs"] = hidden + [ids[row] for row in rows]

    st.dataframe(
        table,
        **table_options(table),
        on_select=take,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(r) for r in picked if r in ids]}},
        key=key,
        alt="Runs that match",
    )


def _turn_pages(total: int | None, rows: int, here: int) -> None:
    first = (here - 1) * _ROWS + 1
    count = "many" if total is None else f"{total:,}"
    of_them = f"Runs {first:,} to {first + rows - 1:,} of {count}" if rows else "0 runs"
    left, right = st.columns([2, 3], vertical_alignment="center")
    left.caption(of_them)
    number = run_filters.pages(total, rows, here, _ROWS)
    if number > 1:
        with right:
            st.pagination(number, key=run_filters.PAGE_KEY, bind="query-params")


if __name__ == "__main__":
    render()
