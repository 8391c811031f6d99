"""Walk through a model's latent space: sliders, the image decoded there, and what it decides."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from latentlaw.data.inspection.previews import orthogonal_planes
from latentlaw.errors import LatentlawError
from latentlaw.tracking.reading.artifacts import Missing, load_embeddings
from latentlaw.tracking.reading.queries import PARAM
from numpy.typing import NDArray

from dashboards.charts.boundary import boundary_chart, plane_of
from dashboards.charts.colouring import Scheme
from dashboards.charts.config import chart_config
from dashboards.panels.controls import slider
from dashboards.panels.try_model import probability_bars
from dashboards.reading import live, store
from dashboards.wording.escaping import for_markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboards.reading.live import Bundle

_SPAN = 3.0  # standard deviations that a slider goes to either side
_STEPS = 100
_BESIDE = 4  # sliders that are shown without a click


def show(run: pd.Series, used: "Sequence[str]", meanings: "Mapping[str, str]") -> None:
    """Show the walk of a run's model; `used` are the latents of its equations, shown first."""
    st.subheader("Walk through the latent space")
    if not st.toggle("Load the model", key="walk", bind="query-params"):
        st.caption(
            "Sliders on the latents then move the decoded image and the class probabilities "
            "together. Loading takes some seconds, once."
        )
        return
    try:
        bundle = live.load_bundle(str(run["run_id"]))
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/broken_image:")
        return
    st.fragment(_walk)(run, bundle, used, meanings)


def _walk(
    run: pd.Series, bundle: "Bundle", used: "Sequence[str]", meanings: "Mapping[str, str]"
) -> None:
    middle = np.array(bundle.head.mean)
    ranges = middle[:, None] + np.array(bundle.head.scale)[:, None] * (-_SPAN, _SPAN)
    names = [f"z{i}" for i in range(len(middle))]
    left, right = st.columns([2, 6], gap="large")
    with left:
        mu = _sliders(names, middle, ranges, used, meanings)
    with right:
        image, bars = st.columns([3, 2], gap="large")
        with image:
            _decoded(bundle, mu)
        with bars:
            _chances(bundle, mu)
        _boundary(run, bundle, names, mu, middle, ranges, used)


def _chances(bundle: "Bundle", mu: NDArray[np.float64]) -> None:
    chances = live.probabilities(bundle, mu[None])[0]
    st.caption(
        "Probability of each class, by the equations"
        if bundle.equations
        else "Probability of each class, by the classifier on latents: no equations"
    )
    st.plotly_chart(
        probability_bars(dict(zip(bundle.class_names, chances.tolist(), strict=True))),
        key="walk-probabilities",
        config=chart_config("class-probabilities"),
        alt="Probability of each class at these latents",
    )


def _sliders(
    names: "Sequence[str]",
    middle: NDArray[Any],
    ranges: NDArray[Any],
    used: "Sequence[str]",
    meanings: "Mapping[str, str]",
) -> NDArray[np.float64]:
    """Ask for each latent, those of the equations first; the URL has those that were moved."""
    first = [n for n in used if n in names] or list(names[:_BESIDE])
    st.caption("Latents of the equations, from -3 to +3 standard deviations of training particles")
    st.button("Back to the mean", icon=":material/restart_alt:", on_click=_reset,
              args=(names, middle))  # fmt: skip
    rest = [n for n in names if n not in first]
    values: dict[str, float] = {}
    for name in first:
        values[name] = _slider(name, names.index(name), middle, ranges, meanings)
    if rest:
        with st.expander("The other latents"):
            for name in rest:
                values[name] = _slider(name, names.index(name), middle, ranges, meanings)
    return np.array([values[name] for name in names])


def _slider(
    name: str,
    index: int,
    middle: NDArray[Any],
    ranges: NDArray[Any],
    meanings: "Mapping[str, str]",
) -> float:
    low, high = (float(edge) for edge in ranges[index])
    said = f": {for_markdown(meanings[name])}" if name in meanings else ""
    label, step = f"{name}{said}", (high - low) / _STEPS
    return slider(label, low, high, float(middle[index]), step, key=name, form="%.2f")


def _reset(names: "Sequence[str]", middle: NDArray[Any]) -> None:
    for name, value in zip(names, middle, strict=True):
        st.session_state[name] = float(value)


def _decoded(bundle: "Bundle", mu: NDArray[np.float64]) -> None:
    st.caption("Decoded here, unturned")
    planes = orthogonal_planes(live.decode(bundle, mu[None])[0])
    for (plane, picture), column in zip(planes.items(), st.columns(len(planes)), strict=True):
        column.image(picture, caption=plane, width="stretch", output_format="PNG")


def _boundary(
    run: pd.Series,
    bundle: "Bundle",
    names: "Sequence[str]",
    mu: NDArray[np.float64],
    middle: NDArray[Any],
    ranges: NDArray[Any],
    used: "Sequence[str]",
) -> None:
    if len(names) < 2:
        return
    st.markdown("**Decision boundary**")
    across, up, rest = st.columns([1, 1, 2])
    first = [n for n in used if n in names] + [n for n in names if n not in used]
    x = str(across.selectbox("x", list(names), names.index(first[0]), key="bx",
                             bind="query-params"))  # fmt: skip
    y = str(up.selectbox("y", list(names), names.index(first[1]), key="by", bind="query-params"))
    if x == y:
        st.info("Choose two different latents.")
        return
    here = rest.radio("The other latents", ["at their mean", "where the sliders are"],
                      horizontal=True, key="others", bind="query-params")  # fmt: skip
    pair = (names.index(x), names.index(y))
    plane = plane_of(middle if here == "at their mean" else mu, ranges, pair)
    particles = _particles(run, (x, y))
    st.caption(
        "Filled: the class with the largest probability, darker where that is above 90 %. "
        "Cross: the latents decoded above. "
        + (
            "Points: particles, whose other latents are their own, so that some lie beyond a "
            "boundary that does not decide about them."
            if particles is not None
            else "Run `evaluate` on this model to see its particles here."
        )
    )
    figure = boundary_chart(
        lambda latents: live.probabilities(bundle, latents),
        Scheme("label", tuple(bundle.class_names)),
        plane,
        (x, y),
        particles,
        (float(mu[pair[0]]), float(mu[pair[1]])),
    )
    st.plotly_chart(figure, key="walk-boundary", config=chart_config("decision-boundary"),
                    alt="Most probable class over two latents")  # fmt: skip


def _particles(run: pd.Series, pair: tuple[str, str]) -> pd.DataFrame | None:
    """Return the particles that a run of `evaluate` on the same model laid out, if one did."""
    runs = store.read_runs("evaluate")
    model = run.get(f"{PARAM}model")
    if f"{PARAM}model" not in runs or not isinstance(model, str):
        return None
    for run_id in runs["run_id"][runs[f"{PARAM}model"] == model]:
        table = store.try_artifact(load_embeddings, run_id)
        if not isinstance(table, Missing) and set(pair) <= set(table):
            return table
    return None
