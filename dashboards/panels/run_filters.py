"""The controls that say which runs to list; all of their state is in the URL."""

import math
import os
from typing import Any

import streamlit as st
from latentlaw.tracking.names import EXPERIMENT
from latentlaw.tracking.reading.run_query import Order, RunQuery

from dashboards.reading import store
from dashboards.tables.measures import MEASURES, measure_title
from dashboards.wording import words
from dashboards.wording.escaping import for_markdown

PAGE_KEY = "page"
_EVERY = "every experiment"
_SORTED_BY = (
    "classification/accuracy",
    "classification/macro_f1",
    "separation/silhouette",
    "discovery/equation_accuracy",
    "discovery/accuracy_ratio",
    "val/loss",
)
ORDERS: dict[str, tuple[str, Order]] = {
    "newest": ("Newest first", Order()),
    "oldest": ("Oldest first", Order("attributes", "start_time", ascending=True)),
    "name": ("Name", Order("attributes", "run_name", ascending=True)),
    **{
        metric: (
            f"{measure_title(metric)}, best first",
            Order("metrics", metric, ascending=metric == "val/loss"),
        )
        for metric in _SORTED_BY
    },
}


def ask() -> RunQuery:
    """Draw the controls and return what they ask for."""
    shared: dict[str, Any] = {"bind": "query-params", "on_change": _first_page}
    columns = st.columns([5, 3, 3, 4, 3, 4, 2], vertical_alignment="bottom")
    text = columns[0].text_input("Search", placeholder="Name or run id", key="q", **shared)
    stage = _choice(columns[1], "Step", "stage", words.STAGES, shared)
    family = _choice(columns[2], "Model", "family", words.FAMILIES, shared)
    data = columns[3].text_input(
        "Data", placeholder="Stack's name or digest", key="data", **shared
    )
    status = _choice(columns[4], "Status", "status", words.STATUSES, shared)
    order = columns[5].selectbox(
        "Sort by", list(ORDERS), format_func=lambda o: ORDERS[o][0], key="sort", **shared
    )
    with columns[6].popover("More", icon=":material/filter_alt:", width="stretch"):
        more = _more(shared)
    query = RunQuery(
        text=text or "",
        stage=stage,
        family=family,
        data=data or "",
        status=status,
        order=ORDERS[order][1],
        **more,
    )
    if also := _told(query):
        st.caption(for_markdown(f"Also asked, under More: {'; '.join(also)}", 300))
    return query


def _told(query: RunQuery) -> list[str]:
    """Say what is asked by controls that are folded away."""
    title = measure_title(query.metric)
    bounds = [("at least", query.at_least), ("at most", query.at_most)]
    told = [
        f"{title} {how} {bound:g}" for how, bound in bounds if query.metric and bound is not None
    ]
    told += [f"tag {query.tag.strip()}"] if query.tag.strip() else []
    return [*told, "no steps and trials of other runs"] if query.top_level else told


def _choice(place: Any, label: str, key: str, options: dict[str, str], shared: Any) -> str:
    chosen: str | None = place.selectbox(
        label,
        list(options),
        index=None,
        format_func=lambda code: _sentence_case(options[code]),
        placeholder="All",
        key=key,
        **shared,
    )
    return chosen or ""


def _sentence_case(text: str) -> str:
    """Write the first letter large, unless it is a symbol: a capital β reads as B."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def _more(shared: dict[str, Any]) -> dict[str, Any]:
    metric = st.selectbox(
        "Measure",
        list(dict.fromkeys([*_SORTED_BY, *MEASURES])),
        index=None,
        format_func=measure_title,
        accept_new_options=True,
        placeholder="Any, or type a metric's name",
        key="metric",
        **shared,
    )
    low, high = st.columns(2)
    bounds: dict[str, Any] = {"value": None, "step": None, "format": "%g", "disabled": not metric}
    at_least = low.number_input("At least", key="at_least", **bounds, **shared)
    at_most = high.number_input("At most", key="at_most", **bounds, **shared)
    tag = st.text_input("Tag", placeholder="key, or key=part of value", key="tag", **shared)
    names = [_EVERY, *store.read_experiments()]
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    own = names.index(name) if name in names else 0
    experiment = st.selectbox("Experiment", names, index=own, key="experiment", **shared)
    top_level = st.toggle("Hide steps and trials of other runs", key="top", **shared)
    return {
        "metric": metric or "",
        "at_least": at_least,
        "at_most": at_most,
        "tag": tag or "",
        "experiment": "" if experiment == _EVERY else experiment,
        "top_level": top_level,
    }


def pages(total: int | None, rows: int, here: int, size: int) -> int:
    """Return how many pages there are; of an unknown number, one more than is shown."""
    if total is None:
        return here + 1
    return max(1, math.ceil(total / size)) if rows or total else 1


def _first_page() -> None:
    st.session_state[PAGE_KEY] = 1
