"""Where a model decides for which class, over two latents: pure functions to a Plotly figure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboards.charts.colouring import Scheme, as_category
from dashboards.charts.palette import GREY
from dashboards.wording.escaping import for_plotly

Array = NDArray[np.floating[Any]]
_STEPS = 121
_SURE = 0.9
_MOST_PARTICLES = 2000


def plane_of(
    middle: Array, ranges: Array, pair: tuple[int, int], steps: int = _STEPS
) -> tuple[Array, Array, Array]:
    """Return a grid over two latents, all others as in `middle`.

    Parameters
    ----------
    middle
        `(d,)`.
    ranges
        Lowest and highest value of each latent, `(d, 2)`.
    pair
        Which latents run along x and along y.
    steps
        Points along either latent.

    Returns
    -------
    x, y, latents
        `(steps,)`, `(steps,)` and `(steps * steps, d)`, of which x runs fastest.
    """
    x, y = (np.linspace(ranges[axis, 0], ranges[axis, 1], steps) for axis in pair)
    latents = np.repeat(np.asarray(middle, dtype=np.float64)[None], steps * steps, axis=0)
    latents[:, pair[0]], latents[:, pair[1]] = np.tile(x, steps), np.repeat(y, steps)
    return x, y, latents


def boundary_chart(
    probabilities: Callable[[Array], Array],
    scheme: Scheme,
    plane: tuple[Array, Array, Array],
    titles: tuple[str, str],
    particles: pd.DataFrame | None = None,
    place: tuple[float, float] | None = None,
) -> go.Figure:
    """Fill where each class is the most probable; darker where its probability is above 90 %.

    Parameters
    ----------
    probabilities
        Of latents `(n, d)`, `(n, K)`, columns in the order of the names of `scheme`.
    scheme
        Names and colours of the classes.
    plane
        Of `plane_of`.
    titles
        Names of the latents along x and along y.
    particles
        Columns `titles`, `label` and `split`: drawn where they lie, whatever their other latents.
    place
        A point to mark.
    """
    x, y, latents = plane
    share = np.asarray(probabilities(latents)).reshape(len(y), len(x), -1)
    figure = go.Figure()
    _fill(figure, scheme, x, y, share)
    for number, name in enumerate(scheme.classes):
        lead = share[..., number] - np.delete(share, number, axis=2).max(axis=2)
        figure.add_contour(
            x=x,
            y=y,
            z=lead,
            contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
            line={"color": scheme.colour(number), "width": 2},
            showscale=False,
            showlegend=False,
            hoverinfo="skip",
        )
        figure.add_scatter(x=[None], y=[None], mode="markers", name=for_plotly(name, 30),
                           marker=_mark(scheme, number))  # fmt: skip
    if particles is not None:
        _add_particles(figure, scheme, particles, titles, (x, y))
    if place is not None:
        cross = {"symbol": "x-thin", "size": 16, "line": {"width": 4, "color": GREY}}
        figure.add_scatter(x=[place[0]], y=[place[1]], mode="markers", name="decoded here",
                           hoverinfo="skip", marker=cross)  # fmt: skip
    figure.update_xaxes(title_text=titles[0], range=[x[0], x[-1]], zeroline=False)
    figure.update_yaxes(title_text=titles[1], range=[y[0], y[-1]], zeroline=False)
    figure.update_layout(
        height=520,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": -0.14, "yanchor": "top", "itemclick": False},
    )
    return figure


def _fill(figure: go.Figure, scheme: Scheme, x: Array, y: Array, share: Array) -> None:
    """Colour each place as its most probable class, and again where that one is sure."""
    names = scheme.classes
    winner, chance = share.argmax(axis=2), share.max(axis=2)
    scale = [
        (edge / len(names), scheme.colour(number))
        for number in range(len(names))
        for edge in (number, number + 1)
    ]
    said = [
        [f"{for_plotly(names[w], 30)} {c:.0%}" for w, c in zip(row, chances, strict=True)]
        for row, chances in zip(winner, chance, strict=True)
    ]
    for values in (winner.astype(float), np.where(chance > _SURE, winner, np.nan)):
        figure.add_heatmap(
            x=x,
            y=y,
            z=values,
            zmin=-0.5,
            zmax=len(names) - 0.5,
            colorscale=scale,
            opacity=0.25,
            showscale=False,
            text=said,
            hovertemplate="%{text}<extra></extra>",
        )


def _add_particles(
    figure: go.Figure,
    scheme: Scheme,
    particles: pd.DataFrame,
    titles: tuple[str, str],
    axes: tuple[Array, Array],
) -> None:
    within = np.ones(len(particles), bool)
    for name, axis in zip(titles, axes, strict=True):
        within &= particles[name].between(axis[0], axis[-1]).to_numpy()
    shown = particles[within]
    if len(shown) > _MOST_PARTICLES:
        shown = shown.sample(_MOST_PARTICLES, random_state=0)
    kind = as_category(shown["label"])
    names = scheme.classes
    for number, name in enumerate(names):
        own = shown[kind == name]
        figure.add_scatter(
            x=own[titles[0]],
            y=own[titles[1]],
            mode="markers",
            showlegend=False,
            text=[f"{for_plotly(i)}<br>{for_plotly(name)}" for i in own["particle_id"]],
            hovertemplate="%{text}<extra></extra>",
            marker=_mark(scheme, number),
        )


def _mark(scheme: Scheme, number: int) -> dict[str, Any]:
    outline = {"width": 1, "color": "rgba(60,60,60,0.9)"}
    symbol = Scheme.symbol(number)
    return {"color": scheme.colour(number), "symbol": symbol, "size": 8, "line": outline}
