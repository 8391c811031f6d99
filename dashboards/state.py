"""What the pages share: the tracking store, cached reads, and the runs picked, kept in the URL."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from latentlaw.errors import LatentlawError
from latentlaw.tracking import artifacts, queries

from dashboards.text import for_markdown, shorten

ROOT = Path(__file__).resolve().parents[1]
MOST_RUNS = 1000
_RUNS_PARAMETER = "run"
_FRESH_S = 10  # a run that trains is seen to move at least this often
_ARTIFACT_S = 60


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or the store in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"


@st.cache_data(ttl=_FRESH_S, max_entries=8, show_spinner="Reading the runs …")
def _runs(uri: str) -> pd.DataFrame:
    return queries.list_runs(uri, limit=MOST_RUNS)


@st.cache_data(ttl=_FRESH_S, max_entries=64, show_spinner="Reading the loss curves …")
def _history(uri: str, run_id: str) -> pd.DataFrame:
    return queries.loss_history(uri, run_id)


@st.cache_data(ttl=_FRESH_S, max_entries=64, show_spinner=False)
def _children(uri: str, run_id: str) -> pd.DataFrame:
    return queries.list_children(uri, run_id)


# A resource, not data: a large embedding is shared, not copied at each rerun. Do not write to it.
@st.cache_resource(ttl=_ARTIFACT_S, max_entries=32, show_spinner="Reading the artifacts …")
def _artifact(uri: str, run_id: str, loader: str, *arguments: Any) -> Any:
    return getattr(artifacts, loader)(uri, run_id, *arguments)


def read_runs() -> pd.DataFrame:
    """List the newest runs; a store that cannot be read stops the page with the reason."""
    return _or_stop(lambda: _runs(tracking_uri()))


def read_history(run_id: str) -> pd.DataFrame:
    """Read a run's loss curves."""
    return _or_stop(lambda: _history(tracking_uri(), run_id))


def read_children(run_id: str) -> pd.DataFrame:
    """List a run's children."""
    return _or_stop(lambda: _children(tracking_uri(), run_id))


def read_artifact(run_id: str, loader: str, *arguments: Any) -> Any:
    """Call a loader of `latentlaw.tracking.artifacts`; None, after a message, if it is missing."""
    content = _artifact(tracking_uri(), run_id, loader, *arguments)
    if isinstance(content, artifacts.Missing):
        explain(content)
        return None
    return content


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


def _or_stop(read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    try:
        return read()
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/cloud_off:")
        st.stop()


def run_label(run: pd.Series) -> str:
    """Name a run so that it is told from others: what, when (UTC), and the start of its id."""
    what = " ".join(dict.fromkeys(t for t in (run["name"], run["family"]) if t)) or run["stage"]
    return f"{shorten(what, 40)} · {run['start_time']:%d %b %H:%M} · {run['run_id'][:6]}"


def short_labels(runs: pd.DataFrame) -> dict[str, str]:
    """Map run ids to labels."""
    return {run["run_id"]: run_label(run) for _, run in runs.iterrows()}


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
        asked = st.query_params.get_all(_RUNS_PARAMETER) or st.session_state.get(f"{key}-kept")
        st.session_state[key] = [r for r in asked or known[:newest] if r in known]
        if lost := [r for r in asked or () if r not in known]:
            ids = ", ".join(shorten(r, 8) for r in lost[:5])
            st.warning(for_markdown(f"Not among the runs of this page: {ids}"))
    st.session_state[key] = [r for r in st.session_state[key] if r in known]
    labels = short_labels(runs)
    picked: list[str] = st.multiselect(
        label,
        known,
        key=key,
        format_func=lambda r: labels.get(r, r),
        placeholder="Type to search",
        on_change=on_change,
    )
    st.session_state[f"{key}-kept"] = picked
    if st.query_params.get_all(_RUNS_PARAMETER) != picked:
        st.query_params[_RUNS_PARAMETER] = picked
    return runs.set_index("run_id", drop=False).loc[picked]
