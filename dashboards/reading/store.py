"""The store of runs as pages read it: cached for seconds, and a page stops where it cannot be."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import pandas as pd
import streamlit as st
from latentlaw.errors import LatentlawError
from latentlaw.tracking.reading import artifacts, models, queries
from latentlaw.tracking.reading.artifacts import Missing
from latentlaw.tracking.reading.lineage import Lineage, trace_lineage
from latentlaw.tracking.reading.models import Version
from latentlaw.tracking.reading.run_query import RunQuery
from latentlaw.tracking.reading.search import Found, find_runs
from latentlaw.tracking.reading.studies import Study, load_study

from dashboards.wording.escaping import for_markdown

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
RUNS_PARAMETER = "run"
_NEWEST = 200
_MOST_ASKED = 50
_FRESH_S = 10
_LIVE_S = 3  # a run that trains is seen to move at least this often
_KEPT_S = 60
# Caches tell questions apart by their names, which streamlit does not do of itself.
_BY_NAME: dict[str | type[Any], Callable[[Any], Any]] = {
    FunctionType: lambda read: (read.__module__, read.__name__)
}


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or the store in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"


@st.cache_data(ttl=_FRESH_S, max_entries=256, hash_funcs=_BY_NAME, show_spinner="Reading …")
def _fresh(read: Callable[..., T], uri: str, *arguments: Any, **options: Any) -> T:
    return read(uri, *arguments, **options)


@st.cache_data(ttl=_LIVE_S, max_entries=64, hash_funcs=_BY_NAME, show_spinner="Reading …")
def _live(read: Callable[..., T], uri: str, *arguments: Any) -> T:
    return read(uri, *arguments)


# A resource, not data: a large embedding is shared, not copied at each rerun. Do not write to it.
@st.cache_resource(ttl=_KEPT_S, max_entries=64, hash_funcs=_BY_NAME, show_spinner="Reading …")
def _kept(read: Callable[..., T], uri: str, *arguments: Any) -> T:
    return read(uri, *arguments)


def read_runs(*stages: str) -> pd.DataFrame:
    """List the newest runs of some stages (of all, if none is said), and those the URL asks for.

    A store that cannot be read stops the page with the reason.
    """
    runs = _ask(_fresh, queries.list_runs, stages=stages or None, limit=_NEWEST)
    lacking = [run for run in asked_runs() if run not in set(runs["run_id"])]
    if not lacking:
        return runs
    older = read_by_id(lacking)
    older = older[older["stage"].isin(stages)] if stages else older
    return runs if older.empty else pd.concat([runs, older], ignore_index=True)


def asked_runs() -> list[str]:
    """Return the runs that the URL names (`?run=ID&run=ID`)."""
    return st.query_params.get_all(RUNS_PARAMETER)


def read_by_id(run_ids: Sequence[str]) -> pd.DataFrame:
    """Read some runs, in their order; those that are not there are left out."""
    return _ask(_fresh, queries.runs_by_id, tuple(run_ids)[:_MOST_ASKED])


def search_runs(query: RunQuery, *, offset: int, limit: int) -> Found:
    """Read a page of the runs that match."""
    return _ask(_fresh, find_runs, query, offset=offset, limit=limit)


def read_children(run_id: str) -> pd.DataFrame:
    """List a run's children."""
    return _ask(_fresh, queries.list_children, run_id)


def read_history(run_id: str) -> pd.DataFrame:
    """Read a run's loss curves."""
    return _ask(_live, queries.loss_history, run_id)


def read_lineage(run_id: str) -> Lineage:
    """Trace where a run comes from and what came of it."""
    return _ask(_kept, trace_lineage, run_id)


def read_experiments() -> list[str]:
    """List the names of the experiments."""
    return _ask(_kept, queries.list_experiments)


def read_models() -> list[str]:
    """List the names of the registered models."""
    return _ask(_fresh, models.list_models)


def read_versions(name: str) -> list[Version]:
    """List a model's versions, newest first."""
    return _ask(_fresh, models.list_versions, name)


def read_study(run_id: str) -> Study | Missing:
    """Read the study of a run of tune."""
    return _ask(_fresh, load_study, run_id)


def try_artifact(read: Callable[..., T | Missing], run_id: str, *arguments: Any) -> T | Missing:
    """Read an artifact by a loader of `reading.artifacts`; what is missing is not spoken of."""
    return _kept(read, tracking_uri(), run_id, *arguments)


def read_artifact(read: Callable[..., T | Missing], run_id: str, *arguments: Any) -> T | None:
    """Read an artifact by a loader of `reading.artifacts`; None, after a message, if missing."""
    content = try_artifact(read, run_id, *arguments)
    if not isinstance(content, Missing):
        return content
    if content.reason == "unreachable":  # the server may be back at the next look
        _kept.clear(read, tracking_uri(), run_id, *arguments)
    explain(content)
    return None


def read_picture(run_id: str, name: str) -> bytes | Missing:
    """Read a PNG artifact."""
    return try_artifact(artifacts.load_artifact_png, run_id, name)


def read_meanings(run_id: str) -> dict[str, str]:
    """Read what latents mean, by their names; none, without a message, from runs that say none."""
    content = try_artifact(artifacts.load_meanings, run_id)
    if not isinstance(content, Missing):
        return content
    if content.reason != "absent":
        explain(content)
    return {}


def explain(missing: Missing) -> None:
    """Say which artifact is missing and why."""
    show = st.info if missing.reason == "absent" else st.error
    show(for_markdown(missing.message, 400), icon=":material/broken_image:")


def _ask(cached: Callable[..., Any], read: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Return what `read` returns; where the store cannot be read, say why and stop the page."""
    try:
        found: T = cached(read, tracking_uri(), *arguments, **options)
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/cloud_off:")
        st.button("Try again", icon=":material/refresh:")  # any click runs the page anew
        st.stop()
    return found
