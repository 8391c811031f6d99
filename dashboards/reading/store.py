"""What the pages share: the tracking store, cached reads, and the runs picked, kept in the URL."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import streamlit as st
from latentlaw.errors import LatentlawError
from latentlaw.tracking.reading import artifacts, models, queries
from latentlaw.tracking.reading.lineage import Lineage, trace_lineage
from latentlaw.tracking.reading.models import Version
from latentlaw.tracking.reading.run_query import RunQuery
from latentlaw.tracking.reading.search import Found, find_runs
from latentlaw.tracking.reading.studies import Study, load_study

from dashboards.wording import labels
from dashboards.wording.escaping import for_markdown, shorten

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
_NEWEST = 200
_MOST_ASKED = 50
_RUNS_PARAMETER = "run"
_FRESH_S = 10
_LIVE_S = 3  # a run that trains is seen to move at least this often
_ARTIFACT_S = 60


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or the store in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"


@st.cache_data(ttl=_FRESH_S, max_entries=16, show_spinner="Reading the runs …")
def _newest(uri: str, stages: tuple[str, ...]) -> pd.DataFrame:
    return queries.list_runs(uri, stages=stages or None, limit=_NEWEST)


@st.cache_data(ttl=_FRESH_S, max_entries=64, show_spinner=False)
def _by_id(uri: str, run_ids: tuple[str, ...]) -> pd.DataFrame:
    return queries.runs_by_id(uri, run_ids)


@st.cache_data(ttl=_FRESH_S, max_entries=32, show_spinner="Searching …")
def _found(uri: str, query: RunQuery, offset: int, limit: int) -> Found:
    return find_runs(uri, query, offset=offset, limit=limit)


@st.cache_data(ttl=_LIVE_S, max_entries=64, show_spinner="Reading the loss curves …")
def _history(uri: str, run_id: str) -> pd.DataFrame:
    return queries.loss_history(uri, run_id)


@st.cache_data(ttl=_FRESH_S, max_entries=64, show_spinner=False)
def _children(uri: str, run_id: str) -> pd.DataFrame:
    return queries.list_children(uri, run_id)


@st.cache_data(ttl=_ARTIFACT_S, max_entries=32, show_spinner="Following the lineage …")
def _lineage(uri: str, run_id: str) -> Lineage:
    return trace_lineage(uri, run_id)


@st.cache_data(ttl=_ARTIFACT_S, max_entries=4, show_spinner=False)
def _experiments(uri: str) -> list[str]:
    return queries.list_experiments(uri)


@st.cache_data(ttl=_FRESH_S, max_entries=4, show_spinner=False)
def _models(uri: str) -> list[str]:
    return models.list_models(uri)


@st.cache_data(ttl=_FRESH_S, max_entries=16, show_spinner="Reading the versions …")
def _versions(uri: str, name: str) -> list[Version]:
    return models.list_versions(uri, name)


@st.cache_data(ttl=_FRESH_S, max_entries=16, show_spinner="Reading the study …")
def _study(uri: str, run_id: str) -> Study | artifacts.Missing:
    return load_study(uri, run_id)


# A resource, not data: a large embedding is shared, not copied at each rerun. Do not write to it.
@st.cache_resource(ttl=_ARTIFACT_S, max_entries=32, show_spinner="Reading the artifacts …")
def _artifact(uri: str, run_id: str, loader: str, *arguments: Any) -> Any:
    return getattr(artifacts, loader)(uri, run_id, *arguments)


def read_runs(*stages: str) -> pd.DataFrame:
    """List the newest runs of some stages (of all, if none is said), and those the URL asks for.

    A store that cannot be read stops the page with the reason.
    """
    runs = or_stop(lambda: _newest(tracking_uri(), stages))
    lacking = [run for run in asked_runs() if run not in set(runs["run_id"])]
    if not lacking:
        return runs
    older = read_by_id(lacking)
    older = older[older["stage"].isin(stages)] if stages else older
    return runs if older.empty else pd.concat([runs, older], ignore_index=True)


def read_by_id(run_ids: Sequence[str]) -> pd.DataFrame:
    """Read some runs, in their order; those that are not there are left out."""
    return or_stop(lambda: _by_id(tracking_uri(), tuple(run_ids)[:_MOST_ASKED]))


def search_runs(query: RunQuery, *, offset: int, limit: int) -> Found:
    """Read a page of the runs that match."""
    return or_stop(lambda: _found(tracking_uri(), query, offset, limit))


def read_lineage(run_id: str) -> Lineage:
    """Trace where a run comes from and what came of it."""
    return or_stop(lambda: _lineage(tracking_uri(), run_id))


def read_experiments() -> list[str]:
    """List the names of the experiments."""
    return or_stop(lambda: _experiments(tracking_uri()))


def read_models() -> list[str]:
    """List the names of the registered models."""
    return or_stop(lambda: _models(tracking_uri()))


def read_versions(name: str) -> list[Version]:
    """List a model's versions, newest first."""
    return or_stop(lambda: _versions(tracking_uri(), name))


def read_study(run_id: str) -> Study | artifacts.Missing:
    """Read the study of a run of tune."""
    return or_stop(lambda: _study(tracking_uri(), run_id))


def asked_runs() -> list[str]:
    """Return the runs that the URL names (`?run=ID&run=ID`)."""
    return st.query_params.get_all(_RUNS_PARAMETER)


def read_history(run_id: str) -> pd.DataFrame:
    """Read a run's loss curves."""
    return or_stop(lambda: _history(tracking_uri(), run_id))


def read_children(run_id: str) -> pd.DataFrame:
    """List a run's children."""
    return or_stop(lambda: _children(tracking_uri(), run_id))


def read_artifact(run_id: str, loader: str, *arguments: Any) -> Any:
    """Call a loader of `reading.artifacts`; None, after a message, if it is missing."""
    content = _artifact(tracking_uri(), run_id, loader, *arguments)
    if isinstance(content, artifacts.Missing):
        if content.reason == "unreachable":  # the server may be back at the next look
            _artifact.clear(tracking_uri(), run_id, loader, *arguments)
        explain(content)
        return None
    return content


def try_artifact(run_id: str, loader: str, *arguments: Any) -> Any:
    """Call a loader of `reading.artifacts`; what is missing is `Missing`, unsaid."""
    return _artifact(tracking_uri(), run_id, loader, *arguments)


def read_strip(run_id: str, latent: str) -> bytes | artifacts.Missing:
    """Read the traversal strip of a latent."""
    return read_picture(run_id, f"traversals/{latent}.png")


def read_picture(run_id: str, name: str) -> bytes | artifacts.Missing:
    """Read a PNG artifact."""
    content: bytes | artifacts.Missing = _artifact(
        tracking_uri(), run_id, "load_artifact_png", name
    )
    return content


def read_meanings(run_id: str) -> dict[str, str]:
    """Read what latents mean, by their names; none, without a message, from runs that say none."""
    content: dict[str, str] | artifacts.Missing = _artifact(
        tracking_uri(), run_id, "load_meanings"
    )
    if not isinstance(content, artifacts.Missing):
        return content
    if content.reason != "absent":
        explain(content)
    return {}


def explain(missing: artifacts.Missing) -> None:
    """Say which artifact is missing and why."""
    show = st.info if missing.reason == "absent" else st.error
    show(for_markdown(missing.message, 400), icon=":material/broken_image:")


def show_png(content: bytes, name: str) -> None:
    """Show a picture, or say that it is damaged."""
    try:
        st.image(content, width="stretch")
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a broken PNG
        st.error(for_markdown(f"{name} is damaged"), icon=":material/broken_image:")


def or_stop(read: Callable[[], T]) -> T:
    """Return what `read` returns; where the store cannot be read, say why and stop the page."""
    try:
        return read()
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/cloud_off:")
        st.button("Try again", icon=":material/refresh:")  # any click runs the page anew
        st.stop()


def run_label(run: pd.Series) -> str:
    """Name a run so that it is told from others."""
    return labels.run_label(run)


def short_labels(runs: pd.DataFrame) -> dict[str, str]:
    """Map run ids to labels; runs that would be called alike are told apart by parameters."""
    trained = labels.models_behind(labels.called_alike(runs))
    return labels.short_labels(runs, read_by_id(trained) if trained else None)


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
    newest
        How many of the newest runs are picked where nothing is asked for.
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
        asked = asked_runs() or st.session_state.get(f"{key}-kept")
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
    if st.query_params.get_all(_RUNS_PARAMETER) != picked:
        st.query_params[_RUNS_PARAMETER] = picked
    return runs.set_index("run_id", drop=False).loc[picked]
