"""The chart of an embedding: its points, or where there are too many a picture of all of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboards.charts.colouring import SCALE, Scheme, as_category
from dashboards.charts.palette import GREY
from dashboards.charts.raster import Extent, extent_of, rasterise
from dashboards.wording.escaping import for_plotly

MOST_POINTS = 4000  # drawn one by one
SAMPLE = 1500  # of more, those that can be pointed at
SEEN = ("train", "val")  # validation data chose the checkpoint, so they count as seen
_MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}
_OUTLINE = "rgba(60,60,60,0.9)"


@dataclass(frozen=True)
class Embedded:
    """An embedding in a projection, with its colours.

    Attributes
    ----------
    table
        `particle_id, label, split`, and perhaps `predicted, probability, novelty`; `(n)` rows.
    points
        Where the particles lie, `(n, 2)`, NaN where nowhere.
    codes
        Colour of each in the palette of `scheme`, `(n,)`.
    """

    table: pd.DataFrame
    points: NDArray[np.floating[Any]]
    scheme: Scheme
    codes: NDArray[np.intp]

    @classmethod
    def of(
        cls, table: pd.DataFrame, points: NDArray[np.floating[Any]], scheme: Scheme
    ) -> "Embedded":
        """Colour a table by a scheme; grey where it lacks the column."""
        values = table.get(scheme.column, pd.Series(None, index=table.index, dtype=object))
        return cls(table, points, scheme, scheme.codes(values))

    @cached_property
    def extent(self) -> Extent:
        """What shows every particle."""
        return extent_of(self.points)


def embedding_chart(
    embedded: Embedded,
    axes: tuple[str, str],
    *,
    view: Extent | None = None,
    members: NDArray[np.intp] | None = None,
    outline: tuple[tuple[float, float], ...] = (),
    square: bool = True,
) -> go.Figure:
    """Draw an embedding; particles kept from training are large and outlined.

    Of more than `MOST_POINTS` in view, all are in a picture, and a sample can be pointed at.

    Parameters
    ----------
    embedded
        Particles, where they lie, and their colours.
    axes
        Titles of x and y.
    view
        What the chart is zoomed to; None: everything.
    members
        Rows that are selected; all others are then grey.
    outline
        Vertices of the region that they were selected by, in the chart's units.
    square
        Whether a unit is as long on both axes.
    """
    extent = view or embedded.extent
    inside = np.flatnonzero(extent.holds(embedded.points))
    shown = Embedded(embedded.table, embedded.points, embedded.scheme, embedded.codes)
    if members is not None:
        grey = np.full(len(embedded.codes), len(embedded.scheme.palette) - 1)
        grey[members] = embedded.codes[members]
        shown = Embedded(embedded.table, embedded.points, embedded.scheme, grey)
    figure = go.Figure()
    crowded = len(inside) > MOST_POINTS
    if crowded:
        _add_picture(figure, shown, extent)
        inside = np.sort(np.random.default_rng(0).choice(inside, SAMPLE, replace=False))
    faint = np.ones(len(shown.codes), bool) if members is not None else None
    if faint is not None:
        faint[members] = False
    _add_points(figure, shown, inside, faint=faint, sample=crowded)
    _add_legend(figure, shown)
    if outline:
        x, y = zip(*outline, outline[0], strict=True)
        figure.add_scatter(x=x, y=y, mode="lines", hoverinfo="skip", showlegend=False,
                           line={"color": GREY, "width": 2, "dash": "dot"})  # fmt: skip
    _lay_out(figure, extent, axes, square=square)
    return figure


def _add_picture(figure: go.Figure, shown: Embedded, extent: Extent) -> None:
    picture = rasterise(shown.points, shown.codes, shown.scheme.palette, extent)
    figure.add_layout_image(
        source=picture.data_uri(),
        xref="x",
        yref="y",
        x=extent.left,
        y=extent.top,
        sizex=extent.right - extent.left,
        sizey=extent.top - extent.bottom,
        sizing="stretch",
        layer="below",
    )


def _add_points(
    figure: go.Figure,
    shown: Embedded,
    rows: NDArray[np.intp],
    *,
    faint: NDArray[np.bool_] | None,
    sample: bool,
) -> None:
    """Add a trace a look: a class, seen in training or not, selected or not."""
    part = shown.table.iloc[rows]
    seen = part["split"].isin(SEEN).to_numpy()
    dim = np.zeros(len(rows), bool) if faint is None else faint[rows]
    kind = shown.codes[rows] if shown.scheme.names is not None else np.zeros(len(rows), int)
    text = np.array(_hover(part), dtype=object)
    for faded in (True, False):
        for trained in (True, False):
            for place in np.unique(kind):
                own = np.flatnonzero((kind == place) & (seen == trained) & (dim == faded))
                if not len(own):
                    continue
                look = _look(shown, rows[own], int(place), trained=trained, faded=faded)
                if sample:
                    look |= {"size": 4, "opacity": 0.5, "line": {"width": 0}}
                figure.add_scatter(
                    x=shown.points[rows[own], 0],
                    y=shown.points[rows[own], 1],
                    mode="markers",
                    showlegend=False,
                    customdata=rows[own, None],
                    text=text[own],
                    hovertemplate="%{text}<extra></extra>",
                    marker=look,
                    selected={"marker": {"opacity": look["opacity"]}},
                    unselected={"marker": {"opacity": look["opacity"]}},
                )


def _look(
    shown: Embedded, rows: NDArray[np.intp], place: int, *, trained: bool, faded: bool
) -> dict[str, Any]:
    if faded:
        return {"color": GREY, "size": 5, "opacity": 0.25, "line": {"width": 0}}
    look: dict[str, Any] = {"size": 9, "opacity": 0.95, "line": {"width": 1, "color": _OUTLINE}}
    if trained:
        look = {"size": 6, "opacity": 0.45, "line": {"width": 0}}
    if shown.scheme.names is None:
        red, green, blue = shown.scheme.palette[shown.codes[rows]].T
        colours = [f"rgb({r},{g},{b})" for r, g, b in zip(red, green, blue, strict=True)]
        return {**look, "color": colours}
    if place == len(shown.scheme.names):
        return {**look, "color": GREY}
    return {**look, "color": shown.scheme.colour(place), "symbol": Scheme.symbol(place)}


def _hover(part: pd.DataFrame) -> list[str]:
    def column(name: str, form: str = "{}") -> list[str]:
        values = part[name] if name in part else pd.Series(None, index=part.index, dtype=object)
        return ["" if pd.isna(v) else form.format(v) for v in values]

    lines = zip(
        column("particle_id"),
        as_category(part["label"]),
        column("predicted"),
        column("probability", " ({:.0%})"),
        column("novelty", "{:.2f}"),
        part["split"],
        strict=True,
    )
    return [
        f"particle {for_plotly(i)}<br>class {for_plotly(label)}"
        + (f"<br>predicted {for_plotly(predicted)}{sure}" if predicted else "")
        + (f"<br>novelty {novelty}" if novelty else "")
        + f"<br>{for_plotly(split)}"
        for i, label, predicted, sure, novelty, split in lines
    ]


def _add_legend(figure: go.Figure, shown: Embedded) -> None:
    """Add keys of the classes, or the scale of the numbers: traces without points."""
    scheme = shown.scheme
    if scheme.names is None:
        low, high = scheme.limits
        bar = {"title": {"text": for_plotly(scheme.column)}, "thickness": 10, "len": 0.8}
        figure.add_scatter(x=[None], y=[None], mode="markers", showlegend=False,
                           marker={"color": [low], "cmin": low, "cmax": high,
                                   "colorscale": SCALE, "colorbar": bar})  # fmt: skip
        return
    for place, name in enumerate(scheme.names):
        look = {"color": scheme.colour(place), "symbol": Scheme.symbol(place), "size": 9}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=for_plotly(name, 30),
                           marker=look, showlegend=True)  # fmt: skip


def _lay_out(figure: go.Figure, extent: Extent, axes: tuple[str, str], *, square: bool) -> None:
    grid = {"zeroline": False, "showgrid": True}
    across, up = [extent.left, extent.right], [extent.bottom, extent.top]
    figure.update_xaxes(title_text=for_plotly(axes[0]), range=across, **grid)
    figure.update_yaxes(title_text=for_plotly(axes[1]), range=up, **grid)
    if square:
        figure.update_yaxes(scaleanchor="x")
    figure.update_layout(
        height=520,
        margin=_MARGIN,
        dragmode="lasso",
        uirevision="embedding",
        legend={"orientation": "h", "y": -0.14, "yanchor": "top", "itemsizing": "constant",
                "itemclick": False, "itemdoubleclick": False},
    )  # fmt: skip
