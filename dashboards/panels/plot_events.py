"""What Streamlit does not tell of a Plotly chart: the point under the pointer, and the zoom.

Streamlit reports what is selected in a chart. A component without a face of its own, beside the
chart, listens to the chart's other events and reports them as its state; so a particle is shown
as the pointer comes over it, and a chart of a million points is drawn anew where it is zoomed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import streamlit as st

from dashboards.charts.raster import Extent

_SCRIPT = """
export default function ({ data, setStateValue }) {
  let plot = null
  let due = null
  const report = (name, value, after) => {
    clearTimeout(due)
    due = setTimeout(() => setStateValue(name, value), after)
  }
  const pointed = (name, after) => (event) => {
    const row = event.points?.[0]?.customdata
    const first = row?.[0] ?? row
    if (Number.isInteger(first)) report(name, [first, Date.now()], after)
  }
  const zoom = (event) => {
    if (event["xaxis.autorange"] || event["yaxis.autorange"]) return report("view", null, 60)
    const touched = Object.keys(event).some((name) => /^[xy]axis\\.range/.test(name))
    const { xaxis, yaxis } = plot._fullLayout ?? {}
    if (touched && xaxis && yaxis) report("view", [...xaxis.range, ...yaxis.range], 120)
  }
  const listeners = data.event === "zoom"
    ? { plotly_relayout: zoom }
    : { plotly_hover: pointed("hover", 60), plotly_click: pointed("click", 0) }
  const each = (act) => {
    for (const [name, listener] of Object.entries(listeners)) plot?.[act]?.(name, listener)
  }
  const attach = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
    if (!found || found === plot || !found.on) return
    each("removeListener")
    plot = found
    each("on")
  }
  attach()
  const watch = setInterval(attach, 250)  // a chart comes after us, and may be made anew
  return () => {
    clearInterval(watch)
    clearTimeout(due)
    each("removeListener")
  }
}
"""


@st.cache_resource(show_spinner=False)
def _listener() -> Callable[..., Any]:
    return st.components.v2.component("latentlaw_plot_events", js=_SCRIPT)


class Pointed(NamedTuple):
    """A point of a chart: the chart's key, and the first `customdata` of the point."""

    chart: str
    row: int


def pointed(charts: Sequence[str]) -> tuple[Pointed | None, Pointed | None]:
    """Return the point last under the pointer, and the one last clicked, of several charts.

    Parameters
    ----------
    charts
        Keys of the containers that hold a chart each: letters, digits, `-` and `_`.
    """
    hovers: list[tuple[int, Pointed]] = []
    clicks: list[tuple[int, Pointed]] = []
    for chart in charts:
        state = _listener()(
            key=f"{chart}-points",
            data={"chart": chart, "event": "points"},
            on_hover_change=_nothing,
            on_click_change=_nothing,
        )
        for name, found in (("hover", hovers), ("click", clicks)):
            if last := getattr(state, name, None):
                found.append((int(last[1]), Pointed(chart, int(last[0]))))
    return (max(hovers)[1] if hovers else None), (max(clicks)[1] if clicks else None)


def zoomed_extent(chart: str) -> Extent | None:
    """Return what a chart is zoomed to; None where it shows everything."""
    found = _listener()(key=f"{chart}-zoom", data={"chart": chart, "event": "zoom"},
                        on_view_change=_nothing)  # fmt: skip
    view = getattr(found, "view", None)
    if not view:
        return None
    left, right, bottom, top = (float(edge) for edge in view)
    return Extent(min(left, right), max(left, right), min(bottom, top), max(bottom, top))


def _nothing() -> None:
    """Let Streamlit know the name of a state; a change of it runs the fragment again."""
