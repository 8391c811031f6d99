"""Clusters: embeddings of runs side by side, their separation, and the affinity they learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from latentlaw.tracking.reading.artifacts import load_embeddings
from numpy.typing import NDArray

from dashboards.charts.colouring import Scheme, choices, scheme_of
from dashboards.charts.config import chart_config
from dashboards.charts.embedding import Embedded, embedding_chart
from dashboards.panels import affinity as affinity_panel
from dashboards.panels import separation as separation_panel
from dashboards.panels.members import show_members, show_particle
from dashboards.panels.picks import pick_runs, short_labels
from dashboards.panels.plot_events import pointed, zoomed_extent
from dashboards.reading import store
from dashboards.tables import projections
from dashboards.tables.region import Region, region_from_text, region_of
from dashboards.wording.escaping import for_markdown

_PER_ROW = 3
_REGION, _PARTICLE, _VERSION = "region", "particle", "clusters-version"
_COLUMN_TITLES = {
    "label": "Class",
    "predicted": "Predicted class",
    "probability": "Probability of the predicted class",
    "novelty": "Novelty",
    "split": "Split",
}


@dataclass(frozen=True)
class Panel:
    """One run's embedding on the page."""

    run: pd.Series
    label: str
    table: pd.DataFrame
    projection: str

    @property
    def key(self) -> str:
        """Key of the chart; another projection or a selection cleared is another chart."""
        version = st.session_state.get(_VERSION, 0)
        return f"embedding-{self.run['run_id']}-{self.projection}-{version}"


def render() -> None:
    """Show the page."""
    st.title("Clusters")
    runs = store.read_runs("evaluate")
    if runs.empty:
        st.info("No evaluate runs yet: run `mlflow run . -e evaluate -P model=RUN_ID`")
        return
    picked = pick_runs("clusters", runs, newest=2, label="Evaluate runs, side by side")
    if picked.empty:
        st.info("Pick at least one evaluate run.")
        return
    labels = short_labels(picked)
    tables = {run_id: store.read_artifact(load_embeddings, run_id) for run_id in labels}
    found = {run_id: table for run_id, table in tables.items() if table is not None}
    if found:
        projection, column = _controls(found)
        panels = [
            Panel(run, labels[run_id], found[run_id], projection)
            for run_id, (_, run) in zip(labels, picked.iterrows(), strict=True)
            if run_id in found
        ]
        st.fragment(_embeddings)(panels, scheme_of(column, list(found.values())))
    st.subheader("Separation and classification")
    separation_panel.show(picked, labels)
    st.subheader("Affinity: prior and learned")
    for run_id, label in labels.items():
        affinity_panel.show(run_id, label)


def _controls(tables: Mapping[str, pd.DataFrame]) -> tuple[str, str]:
    """Ask for a projection and a colour; the URL has both."""
    every = list(tables.values())
    latents = projections.shared_latents(every)
    offered = projections.PROJECTIONS.items()
    named = {k: v for k, v in offered if latents or k == projections.LOGGED}
    left, *pair, right = st.columns(
        [2, 1, 1, 2] if st.session_state.get("projection") == "latents" else 2
    )
    chosen = left.selectbox(
        "Projection",
        list(named),
        format_func=named.__getitem__,
        key="projection",
        bind="query-params",
        help="t-SNE and UMAP are made of a sample where there are thousands of particles, which "
        "takes a minute the first time",
    )
    projection = str(chosen)
    if projection == "latents":
        across, up = pair or (left, left)
        x = across.selectbox("x", latents, key="x", bind="query-params")
        second = min(1, len(latents) - 1)
        y = up.selectbox("y", latents, index=second, key="y", bind="query-params")
        projection = f"{x}-{y}"
    columns = choices(every)
    colour = right.selectbox("Colour by", columns, key="colour", bind="query-params",
                             format_func=lambda c: _COLUMN_TITLES.get(c, c))  # fmt: skip
    return projection, str(colour)


@st.cache_resource(max_entries=32, ttl=600, show_spinner="Laying the particles out …")
def _positions(_table: pd.DataFrame, run_id: str, projection: str) -> NDArray[np.floating[Any]]:
    return projections.positions(_table, projection)


@st.cache_resource(max_entries=16, ttl=600, show_spinner=False)
def _embedded(_table: pd.DataFrame, run_id: str, projection: str, scheme: Scheme) -> Embedded:
    return Embedded.of(_table, _positions(_table, run_id, projection), scheme)


def _embeddings(panels: list[Panel], scheme: Scheme) -> None:
    """Show the charts, the particle pointed at, and the particles selected."""
    st.subheader("Embedding")
    st.caption(
        "A particle a point; large and outlined: data that the model never saw. Draw around "
        "particles to select them, point at one to see it, click to keep it, scroll to zoom."
    )
    region = region_from_text(st.query_params.get(_REGION, ""))
    owner, chosen = _members(panels, region)
    shown = min(len(panels), _PER_ROW)
    *places, beside = st.columns([*[4] * shown, 1.7 if shown < _PER_ROW else 2])
    for number, panel in enumerate(panels):
        with places[number % shown]:
            _chart(panel, scheme, region, _same_particles(panel, owner, chosen))
    with beside:
        st.fragment(_beside)(panels)
    if owner is not None and chosen is not None:
        with st.container(border=True):
            st.button("Clear the selection", icon=":material/close:", on_click=_clear)
            show_members(owner.run, owner.table, chosen)


def _members(
    panels: list[Panel], region: Region | None
) -> tuple[Panel | None, NDArray[np.intp] | None]:
    """Return the panel that the region was drawn in, and the rows within it."""
    own = [p for p in panels if region and p.run["run_id"] == region.run_id]
    if region is None or not own or not projections.is_projection(region.projection):
        return None, None
    points = _positions(own[0].table, region.run_id, region.projection)
    return own[0], region.rows(points)


def _same_particles(
    panel: Panel, owner: Panel | None, chosen: NDArray[np.intp] | None
) -> NDArray[np.intp] | None:
    """Return the rows of the selected particles in another run's embedding, by their ids."""
    if owner is None or chosen is None or owner is panel:
        return chosen
    if panel.run["data_digest"] != owner.run["data_digest"]:
        return None
    ids = owner.table["particle_id"].iloc[chosen]
    return np.flatnonzero(panel.table["particle_id"].isin(ids))


def _chart(
    panel: Panel, scheme: Scheme, region: Region | None, members: NDArray[np.intp] | None
) -> None:
    run_id = str(panel.run["run_id"])
    embedded = _embedded(panel.table, run_id, panel.projection, scheme)
    placed = int(np.isfinite(embedded.points).all(axis=1).sum())
    of = "" if placed == len(panel.table) else f"{placed:,} of "
    st.markdown(f"**{for_markdown(panel.label)}** · {of}{len(panel.table):,} particles")
    if not placed:
        st.info("This embedding has no such coordinates: choose another projection.")
        return
    selected = st.session_state.get(f"{panel.key}-chart", {}).get("selection", {})
    drawn = selected.get("lasso") or selected.get("box")  # Plotly then shows it itself
    own = region and (region.run_id, region.projection) == (run_id, panel.projection)
    figure = embedding_chart(
        embedded,
        projections.axis_titles(panel.projection),
        view=zoomed_extent(panel.key),
        members=members,
        outline=region.vertices if region and own and not drawn else (),
        square=projections.pair_of(panel.projection) is None,
    )
    with st.container(key=panel.key):
        st.plotly_chart(
            figure,
            key=f"{panel.key}-chart",
            on_select=partial(_take, panel),
            config=chart_config("embedding", zooms=True),
            alt="Embedding, a particle a point",
        )


def _take(panel: Panel) -> None:
    """Put what was drawn into the URL, from which the page shows it."""
    found = st.session_state[f"{panel.key}-chart"]["selection"]
    shapes = [*found.get("lasso", ()), *_corners(found.get("box", ()))]
    if not shapes:
        return  # a click in the chart; what is selected stays until it is cleared
    last = shapes[-1]
    region = region_of(str(panel.run["run_id"]), panel.projection, last["x"], last["y"])
    if region is not None:
        st.query_params[_REGION] = region.to_text()


def _clear() -> None:
    st.query_params.pop(_REGION, None)
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def _corners(boxes: Any) -> list[dict[str, list[float]]]:
    return [
        {"x": [box["x"][i] for i in (0, 1, 1, 0)], "y": [box["y"][i] for i in (0, 0, 1, 1)]}
        for box in boxes
    ]


def _beside(panels: list[Panel]) -> None:
    """Show the particle that was clicked, and the one under the pointer."""
    by_key = {panel.key: panel for panel in panels}
    hovered, clicked = pointed(list(by_key))
    if clicked is not None:
        st.query_params[_PARTICLE] = f"{by_key[clicked.chart].run['run_id']}~{clicked.row}"
    kept = _kept(panels)
    if kept is not None:
        show_particle(kept[0].run, kept[0].table, kept[1], "kept")
    if hovered is not None and hovered.row < len(by_key[hovered.chart].table):
        panel = by_key[hovered.chart]
        show_particle(panel.run, panel.table, hovered.row, "pointed at")
    elif kept is None:
        st.caption("Point at a particle to see its central slices here.")


def _kept(panels: list[Panel]) -> tuple[Panel, int] | None:
    run_id, _, row = st.query_params.get(_PARTICLE, "").partition("~")
    own = [p for p in panels if p.run["run_id"] == run_id]
    if not own or not row.isdecimal() or int(row) >= len(own[0].table):
        return None
    return own[0], int(row)


if __name__ == "__main__":
    render()
