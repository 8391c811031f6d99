"""Try a model: an image, a subvolume or a particle in; class, novelty, pose and equation out."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from latentlaw.data.inspection.previews import orthogonal_planes
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import LatentlawError
from latentlaw.tracking.reading.models import Version
from latentlaw.tracking.reading.queries import PARAM

from dashboards.charts.palette import GREY, PALETTE
from dashboards.reading import live, store
from dashboards.wording.escaping import for_markdown, for_plotly, shorten

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UPLOAD_MB = 64
_MOST_CLASSES = 20
_FILE, _PARTICLE = "A file of mine", "A particle of a stack"


def render(version: Version) -> None:
    """Show what a version says of an image that the user gives."""
    if not st.toggle("Load this model", key="load", bind="query-params"):
        st.caption("Loading takes a few seconds and some hundred megabytes of memory, once.")
        return
    try:
        bundle = live.load_bundle(version.uri)
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/broken_image:")
        return
    shape = live.wanted_shape(bundle)
    given, said = st.columns([2, 3], gap="large")
    with given:
        image = _given(shape, _stack_of(version))
    if image is None:
        return
    try:
        answer = live.answer(bundle, image)
    except LatentlawError as error:
        given.error(for_markdown(error, 600), icon=":material/crop:")
        return
    with given:
        _picture(image)
    with said:
        _say(answer)


def describe_shape(shape: tuple[int, ...]) -> str:
    """Say a shape `(c, [z,] y, x)` in words.

    >>> describe_shape((1, 32, 32, 32))
    'a volume of 32 x 32 x 32 voxels (z, y, x)'
    """
    channels, *box = shape
    kind, unit, axes = (
        ("a volume", "voxels", "z, y, x") if len(box) == 3 else ("an image", "pixels", "y, x")
    )
    also = f", {channels} channels" if channels > 1 else ""
    return f"{kind} of {' x '.join(map(str, box))} {unit} ({axes}){also}"


def _stack_of(version: Version) -> str:
    """Return the particle stack that the model's run was made from, if it says."""
    runs = store.read_by_id([version.run_id])
    return "" if runs.empty else str(runs.iloc[0].get(f"{PARAM}data") or "")


def _given(shape: tuple[int, ...], stack: str) -> "NDArray[np.generic] | None":
    source = st.segmented_control(
        "Look at", [_PARTICLE, _FILE], default=_PARTICLE, key="source", bind="query-params"
    )
    st.caption(f"The model takes {describe_shape(shape)}.")
    try:
        return _uploaded() if source == _FILE else _particle(stack)
    except LatentlawError as error:
        st.error(for_markdown(error, 600), icon=":material/broken_image:")
        return None


def _uploaded() -> "NDArray[np.generic] | None":
    file = st.file_uploader(
        live.KINDS, type=list(live.SUFFIXES), max_upload_size=_UPLOAD_MB, key="upload"
    )
    if file is None:
        return None
    image, voxel_size_a = live.read_upload(file.name, file.getvalue())
    if voxel_size_a:
        st.caption(f"Voxels of {voxel_size_a:.2f} Å, by the file's header.")
    return image


def _particle(default: str) -> "NDArray[np.generic] | None":
    path = st.text_input("Particle stack", default, key="stack", bind="query-params")
    if not path:
        return None
    stack = open_stack(path)
    number = st.number_input(
        f"Particle, 0 to {len(stack) - 1:,}",
        0,
        len(stack) - 1,
        key="particle",
        bind="query-params",
    )
    row = stack.table.iloc[int(number)]
    label = "unlabelled" if pd.isna(row["label"]) else f"labelled {row['label']}"
    st.caption(f"Particle {for_markdown(row['particle_id'])}, {for_markdown(label)}.")
    image: NDArray[np.float32] = stack.read(np.array([int(number)]))[0]
    return image


def _picture(image: "NDArray[np.generic]") -> None:
    planes = orthogonal_planes(image)
    for (name, plane), column in zip(planes.items(), st.columns(3), strict=False):
        column.image(plane, caption=name, width="stretch")


def _say(answer: dict[str, Any]) -> None:
    left, middle = st.columns(2)
    left.metric("Class", shorten(answer["class"], 40), border=True)
    middle.metric(
        "Novelty",
        f"{answer['novelty']:.2f}",
        border=True,
        help="From 0, like the particles that it knows, to 1. Above 0.95 counts as new, which is "
        "wrong for about 5 % of known particles at most: see the card.",
    )
    figure = probability_bars(answer["probabilities"])
    st.plotly_chart(figure, key="probabilities", alt="Probability of each class")
    if "qw" in answer:
        pose = ", ".join(f"{answer[key]:.3f}" for key in ("qw", "qx", "qy", "qz"))
        st.markdown(f"**Pose** ({pose}): unit quaternion w, x, y, z that turns the reference")
    if "expression" in answer:
        st.markdown(f"**Equation of this class**, value {answer['value']:.3f}, by its terms:")
        st.code(shorten(answer["expression"], 4000), language=None, wrap_lines=True)
        terms = pd.DataFrame(answer["terms"].items(), columns=["Term", "Value"])
        st.dataframe(
            terms,
            hide_index=True,
            placeholder="",
            column_config={"Value": st.column_config.NumberColumn(format="%.3f")},
        )
    else:
        st.caption("This model has no equations: register a run of discover to have them.")
    with st.expander("Latents"):
        latents = {k: v for k, v in answer.items() if k[0] == "z" and k[1:].isdigit()}
        st.dataframe(pd.DataFrame([latents]), hide_index=True, placeholder="")


def probability_bars(probabilities: dict[str, float]) -> go.Figure:
    """Draw probabilities of classes as bars, the most probable on top; at most twenty."""
    ranked = sorted(probabilities.items(), key=lambda item: item[1])[-_MOST_CLASSES:]
    places = list(range(len(ranked)))
    best = len(ranked) - 1
    figure = go.Figure(
        go.Bar(
            x=[value for _, value in ranked],
            y=places,
            orientation="h",
            marker={"color": [PALETTE[0] if i == best else GREY for i in places]},
            text=[f"{value:.2f}" for _, value in ranked],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    names = [for_plotly(name, 30) for name, _ in ranked]
    figure.update_yaxes(tickmode="array", tickvals=places, ticktext=names, showgrid=False)
    figure.update_xaxes(range=[0, 1.1], title_text="Probability", tickvals=[0, 0.5, 1])
    figure.update_layout(height=90 + 30 * len(ranked), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure
