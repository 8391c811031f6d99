"""Particles: slices of tomograms and of single particles, with picks drawn where they are."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from latentlaw.data.particles import ParticleStack
from latentlaw.data.slices import (
    PLANES,
    Plane,
    Volume,
    level_within,
    particle_volume,
    tomogram_volume,
)
from latentlaw.data.tomogram_names import tomogram_key, tomograms_by_name
from latentlaw.data.tomograms import Tomogram
from latentlaw.errors import DataError
from latentlaw.tracking.queries import PARAM
from numpy.typing import NDArray

from dashboards import stacks, state
from dashboards.charts import chart_config
from dashboards.colouring import Scheme, as_category, scheme_of
from dashboards.controls import slider
from dashboards.ortho_chart import ortho_chart
from dashboards.plot_events import pointed
from dashboards.text import for_markdown, shorten

_CHART, _GOTO = "slices", "particles-goto"
_STACK = ".particles.zarr"
_AXES: dict[Plane, str] = {"xy": "z", "xz": "y", "yz": "x"}
_NO_PICKS = "No picks"


@dataclass(frozen=True)
class Shown:
    """A volume on the page, its identity for caches, and the picks in it."""

    volume: Volume
    name: str
    picks: pd.DataFrame | None = None
    stack: ParticleStack | None = None


def render() -> None:
    """Show the page."""
    st.title("Particles")
    known = _known()
    given, beside = st.columns(2)
    path = given.selectbox(
        "Tomogram store, folder of stores, or particle stack",
        list(known["sources"]),
        format_func=lambda p: shorten(p, 90),
        accept_new_options=True,
        key="source",
        bind="query-params",
        placeholder="Type a path, or make some: `mlflow run . -e ingest`",
    )
    if not path:
        st.info(
            "No tomograms or particles yet: type the path of a store above, or run `mlflow run "
            ". -e ingest -P source=FILE -P out=FOLDER`."
        )
        return
    with beside:
        try:
            shown = _opened(str(path), known["stacks"])
        except DataError as error:
            given.error(for_markdown(error, 600), icon=":material/broken_image:")
            return
    st.fragment(_slices)(shown)


def _known() -> dict[str, list[str]]:
    """List the tomogram stores and stacks that runs read or made, the newest first."""
    runs = state.read_runs("ingest", "extract", "collect", "train")
    tomograms: dict[str, None] = {}
    found: dict[str, None] = {}
    for _, run in runs.iterrows():
        for name in ("tomograms", "out", "data"):
            path = run.get(PARAM + name)
            if isinstance(path, str) and path not in ("None", ""):
                is_stack = path.rstrip("/").endswith(_STACK)
                if is_stack or name == "tomograms" or run["stage"] == "ingest":
                    (found if is_stack else tomograms)[path] = None
    return {"sources": [*tomograms, *found], "stacks": list(found)}


def _opened(path: str, known_stacks: list[str]) -> Shown:
    location = stacks.locate(path.strip())
    if location.rstrip("/").endswith(_STACK):
        return _one_particle(stacks.open_checked(location))
    stores = _tomograms(location, _changed(location))
    left, right = st.columns(2)
    name = left.selectbox("Tomogram", list(stores), key="tomogram", bind="query-params")
    tomogram = stores[str(name)]
    level = right.selectbox(
        "Voxel size",
        list(range(len(tomogram.levels))),
        level_within(tomogram),
        format_func=lambda i: f"{tomogram.voxel_size_a * 2**i:.2f} Å",
        help="Levels of the store's pyramid: the coarser, the quicker to read",
    )
    chosen = st.selectbox(
        "Picks from", [_NO_PICKS, *known_stacks], 1 if known_stacks else 0,
        accept_new_options=True, key="picks", bind="query-params",
    )  # fmt: skip
    stack = picks = None
    if chosen and chosen != _NO_PICKS:
        stack = stacks.open_checked(stacks.locate(str(chosen)))
        picks = _picks(stack, str(name))
        if picks.empty:
            st.caption(for_markdown(f"{chosen} has no particle of {name}.", 200))
    volume = tomogram_volume(tomogram, int(level or 0))
    return Shown(volume, f"{tomogram.path}@{tomogram.digest}@{level}", picks, stack)


def _changed(location: str) -> float:
    """Return when a folder last changed; of a URL, 0."""
    path = Path(location)
    return path.stat().st_mtime if path.exists() else 0.0


@st.cache_resource(max_entries=8, ttl=600, show_spinner="Opening …")
def _tomograms(location: str, changed: float) -> Mapping[str, Tomogram]:
    return tomograms_by_name(location)


def _picks(stack: ParticleStack, tomogram: str) -> pd.DataFrame:
    """Return the particles of a tomogram; the index is their row in the stack."""
    table = stack.table
    names = {name: tomogram_key(str(name)) for name in table["tomogram"].dropna().unique()}
    own = table[table["tomogram"].map(names) == tomogram]
    return own.dropna(subset=list("zyx"))


def _one_particle(stack: ParticleStack) -> Shown:
    number = st.number_input(
        f"Particle, 0 to {len(stack) - 1:,}", 0, len(stack) - 1, key="row", bind="query-params"
    )
    row = int(number)
    particle = stack.table.iloc[row]
    label = "no label" if pd.isna(particle["label"]) else f"class {particle['label']}"
    st.caption(f"{for_markdown(particle['particle_id'])} · {for_markdown(label)}")
    return Shown(particle_volume(stack, row), f"{stack.digest}#{row}")


@st.cache_data(max_entries=64, ttl=600, show_spinner="Reading the chunks on view …")
def _slab(
    _volume: Volume, name: str, plane: Plane, index: int, planes: int
) -> NDArray[np.float64]:
    across = {"xy": 0, "xz": 1, "yz": 2}[plane]
    return _volume.slab(plane, _volume.place(across, index), planes=planes)


def _slices(shown: Shown) -> None:
    """Show the slices, and beside them the particle that was clicked."""
    flat = shown.volume.shape[0] == 1
    controls, picture, beside = st.columns([2, 7, 2], gap="medium")
    with controls:
        place, planes, contrast = _controls(shown, flat=flat)
    axes = dict(zip("zyx", range(3), strict=True))
    slabs: dict[Plane, NDArray[Any]] = {}
    for plane in PLANES[:1] if flat else PLANES:
        axis = axes[_AXES[plane]]
        index = shown.volume.index(axis, place[_AXES[plane]])
        slabs[plane] = _slab(shown.volume, shown.name, plane, index, planes)
    reach = _reach(shown)
    scheme = None if shown.picks is None else scheme_of("label", [shown.picks])
    figure = ortho_chart(shown.volume, slabs, place, contrast=contrast, picks=shown.picks,
                         scheme=scheme, reach=reach)  # fmt: skip
    with picture, st.container(key=_CHART):
        st.plotly_chart(
            figure,
            key=f"{_CHART}-chart",
            config=chart_config("slices", zooms=True),
            alt="Orthogonal slices",
        )
    if shown.picks is not None and scheme is not None:
        with beside:
            _clicked(shown, scheme, reach)


def _reach(shown: Shown) -> float:
    """Return how far from a slice a pick is still drawn: half a box."""
    if shown.stack is None:
        return 0.0
    return shown.stack.item_shape[-1] * (shown.stack.voxel_size_a or 1.0) / 2


def _controls(shown: Shown, *, flat: bool) -> tuple[dict[str, float], int, tuple[float, float]]:
    volume, unit = shown.volume, "Å" if shown.volume.voxel_size_a else "voxels"
    goto: Mapping[str, float] = st.session_state.pop(_GOTO, {})
    place: dict[str, float] = {}
    for axis, name in enumerate("zyx"):
        first, last = volume.place(axis, 0), volume.place(axis, volume.shape[axis] - 1)
        if flat or first == last:
            place[name] = first
            continue
        if name in goto:
            st.session_state[name] = float(np.clip(goto[name], first, last))
        middle = volume.place(axis, volume.shape[axis] // 2)
        label = f"{name} ({unit})"
        place[name] = slider(label, first, last, middle, volume.step, key=name, form="%.0f")
    low, high = st.slider("Contrast (percentiles)", 0.0, 100.0, (1.0, 99.0), 0.5,
                          key="contrast", bind="query-params")  # fmt: skip
    planes = 1
    if not flat:
        planes = int(st.select_slider("Planes averaged", [1, 3, 5, 9, 15], 3, key="planes",
                                      bind="query-params"))  # fmt: skip
    return place, planes, (low, max(high, low + 0.5))


def _clicked(shown: Shown, scheme: Scheme, reach: float) -> None:
    """Show the pick that was clicked; offer to cut the slices through it."""
    picks, stack = shown.picks, shown.stack
    if picks is None or stack is None:
        return
    counts = as_category(picks["label"]).value_counts()
    lines = [
        f"<span style='color:{scheme.colour(i)}'>●</span> {html.escape(shorten(name, 30))} "
        f"({counts.get(name, 0):,})"
        for i, name in enumerate(scheme.names or ())
    ]
    st.html(f"<small>{'<br>'.join(lines)}</small>")
    st.caption(f"Picks within {reach:.0f} Å, half a box, of a slice. Click one to see it.")
    clicked = pointed([_CHART])[1]
    if clicked is None or clicked.row not in picks.index:
        return
    pick = picks.loc[clicked.row]
    st.markdown(f"**{for_markdown(pick['particle_id'])}**")
    pictures = stacks.slices_of(stack, stack.digest, int(clicked.row))
    st.image(list(pictures.values()), caption=list(pictures), width=110)
    if st.button("Slices through it", icon=":material/center_focus_strong:"):
        st.session_state[_GOTO] = {name: float(pick[name]) for name in "zyx"}
        st.rerun()


if __name__ == "__main__":
    render()
