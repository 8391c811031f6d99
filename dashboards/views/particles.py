"""Particles: slices of tomograms and of single particles, with picks drawn where they are."""

import html
from typing import Any

import numpy as np
import streamlit as st
from latentlaw.data.inspection.slices import PLANES, Plane, Volume
from latentlaw.errors import DataError
from numpy.typing import NDArray

from dashboards.charts.colouring import Scheme, as_category, scheme_of
from dashboards.charts.config import chart_config
from dashboards.charts.palette import SYMBOLS
from dashboards.charts.slices import ortho_chart
from dashboards.panels.controls import slider
from dashboards.panels.pictures import show_slices
from dashboards.panels.plot_events import pointed
from dashboards.panels.volume_source import Shown, ask_for_volume, known_sources
from dashboards.wording.escaping import for_markdown, shorten

_CHART, _GOTO = "slices", "particles-goto"
_MARKS = dict(zip(SYMBOLS, "●■◆▲▼★✚", strict=True))
_AXES: dict[Plane, str] = {"xy": "z", "xz": "y", "yz": "x"}


def render() -> None:
    """Show the page."""
    st.title("Particles")
    known = known_sources()
    given, beside = st.columns([2, 3])
    path = given.selectbox(
        "Tomogram store, folder of stores, or particle stack",
        list(known["sources"]),
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
            shown = ask_for_volume(str(path), known["stacks"])
        except DataError as error:
            given.error(for_markdown(error, 600), icon=":material/broken_image:")
            return
    st.fragment(_slices)(shown)


@st.cache_data(max_entries=64, ttl=600, show_spinner="Reading the chunks on view …")
def _slab(
    _volume: Volume, name: str, plane: Plane, index: int, planes: int
) -> NDArray[np.float64]:
    return _volume.slab(plane, _volume.place(index), planes=planes)


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
    goto: dict[str, float] = st.session_state.pop(_GOTO, {})
    place: dict[str, float] = {}
    for axis, name in enumerate("zyx"):
        first, last = volume.place(0), volume.place(volume.shape[axis] - 1)
        if flat or first == last:
            place[name] = first
            continue
        if name in goto:
            st.session_state[name] = float(np.clip(goto[name], first, last))
        middle = volume.place(volume.shape[axis] // 2)
        label = f"{name} ({unit})"
        place[name] = slider(label, first, last, middle, volume.step, key=name, form="%.0f")
    low, high = st.slider("Contrast (percentiles)", 0.0, 100.0, (1.0, 99.0), 0.5,
                          key="contrast", bind="query-params", format="%.1f")  # fmt: skip
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
    lines = []
    for place, name in enumerate(scheme.names or ()):
        mark, colour = _MARKS[Scheme.symbol(place)], scheme.colour(place)
        said = f"{html.escape(shorten(name, 30))} ({counts.get(name, 0):,})"
        lines.append(f"<span style='color:{colour}'>{mark}</span> {said}")
    st.html(f"<small>{'<br>'.join(lines)}</small>")
    st.caption(f"Picks within {reach:.0f} Å, half a box, of a slice. Click one to see it.")
    clicked = pointed([_CHART])[1]
    if clicked is None or clicked.row not in picks.index:
        return
    pick = picks[picks.index == clicked.row].iloc[0]
    st.markdown(f"**{for_markdown(pick['particle_id'])}**")
    show_slices(stack, int(clicked.row))
    if st.button("Slices through it", icon=":material/center_focus_strong:"):
        st.session_state[_GOTO] = {name: float(pick[name]) for name in "zyx"}
        st.rerun()


if __name__ == "__main__":
    render()
