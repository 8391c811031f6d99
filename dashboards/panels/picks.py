"""The runs that a page is about: picked by the user, and carried by the URL."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboards.reading import store
from dashboards.wording import labels
from dashboards.wording.escaping import for_markdown, shorten


def short_labels(runs: pd.DataFrame) -> dict[str, str]:
    """Map run ids to labels; runs that would be called alike are told apart by parameters."""
    trained = labels.models_behind(labels.called_alike(runs))
    return labels.short_labels(runs, store.read_by_id(trained) if trained else None)


def pick_runs(
    page: str,
    runs: pd.DataFrame,
    *,
    newest: int,
    label: str,
    on_change: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Let the user pick runs; the URL carries them (`?run=ID&run=ID`), so a page can be linked.

    Parameters
    ----------
    page
        Name of the page: each keeps its own picks for the session.
    runs
        To pick from, newest first; `run_id` among the columns.
    newest
        How many of the newest runs are picked where nothing is asked for.
    label
        Above the field.
    on_change
        Called when the user changes the picks here.

    Returns
    -------
    DataFrame
        The picked rows, in the order picked.
    """
    key = f"{page}-runs"
    known = list(runs["run_id"])
    if key not in st.session_state:
        asked = store.asked_runs() or st.session_state.get(f"{key}-kept")
        st.session_state[key] = [r for r in asked or known[:newest] if r in known]
        if lost := [r for r in asked or () if r not in known]:
            ids = ", ".join(shorten(r, 8) for r in lost[:5])
            st.warning(for_markdown(f"Not among the runs of this page: {ids}"))
    st.session_state[key] = [r for r in st.session_state[key] if r in known]
    names = short_labels(runs)
    picked: list[str] = st.multiselect(
        label,
        known,
        key=key,
        format_func=lambda r: names.get(r, r),
        placeholder="Type to search",
        on_change=on_change,
    )
    st.session_state[f"{key}-kept"] = picked
    if st.query_params.get_all(store.RUNS_PARAMETER) != picked:
        st.query_params[store.RUNS_PARAMETER] = picked
    return runs.set_index("run_id", drop=False).loc[picked]
