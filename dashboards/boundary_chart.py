"""Where a model decides for which class, over two latents: pure functions to a Plotly figure."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboards.colouring import Scheme, as_category
from dashboards.text import for_plotly

Array = NDArray[np.floating[Any]]
_STEPS = 81
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

    Returns
    -------
    x, y, latents
        `(steps,)`, `(steps,)` and `(steps * steps, d)`, of which x runs fastest.
    """
    x, y = (np.linspace(*ranges[axis], steps) for axis in pair)
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
    plane
        Of `plane_of`.
    particles
        Columns `titles`, `label` and `split`: drawn where they lie, whatever their other latents.
    place
        A point to mark.
    """
    assert scheme.names is not None  # noqa: S101 - classes have names
    x, y, latents = plane
    share = np.asarray(probabilities(latents)).reshape(len(y), len(x), -1)
    figure = go.Figure()
    for number, name in enumerate(scheme.names):
        others = np.delete(share, number, axis=2).max(axis=2)
        lead, sure = share[..., number] - others, share[..., number] - _SURE
        for values, opacity in ((lead, 0.22), (sure, 0.25)):
            if values.max() > 0:
                figure.add_trace(_filled(x, y, values, scheme.colour(number), opacity))
        figure.add_scatter(x=[None], y=[None], mode="markers", name=for_plotly(name, 30),
                           marker=_mark(scheme, number))  # fmt: skip
    if particles is not None:
        _add_particles(figure, scheme, particles, titles, (x, y))
    if place is not None:
        cross = {"symbol": "x-thin", "size": 16, "line": {"width": 4}}
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


def _filled(x: Array, y: Array, values: Array, colour: str, opacity: float) -> Any:
    """Fill where values are above 0, with a line along the border."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return go.Contour(
        x=x,
        y=y,
        z=values,
        contours={"type": "constraint", "operation": ">", "value": 0},
        fillcolor=f"rgba({red},{green},{blue},{opacity})",
        line={"color": colour, "width": 1},
        showlegend=False,
        hoverinfo="skip",
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
    names: Sequence[str] = scheme.names or ()
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
