"""Three orthogonal slices and the particles near them: pure functions to a Plotly figure."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from latentlaw.data.inspection.previews import to_grey
from latentlaw.data.inspection.slices import Plane, Volume
from numpy.typing import NDArray
from PIL import Image
from plotly.subplots import make_subplots

from dashboards.charts.colouring import Scheme, as_category
from dashboards.wording.escaping import for_plotly

# Plane: its place in the grid, the axes along it (horizontal, vertical), and the one across.
_GRID: dict[Plane, tuple[int, int, str, str, str]] = {
    "xy": (1, 1, "x", "y", "z"),
    "yz": (1, 2, "z", "y", "x"),
    "xz": (2, 1, "x", "z", "y"),
}
_WIDTH = 900
_MOST_PICKS = 2000
_LINE = "rgba(230,159,0,0.7)"


def ortho_chart(
    volume: Volume,
    slabs: Mapping[Plane, NDArray[np.floating[Any]]],
    place: Mapping[str, float],
    *,
    contrast: tuple[float, float] = (1, 99),
    picks: pd.DataFrame | None = None,
    scheme: Scheme | None = None,
    reach: float = 0.0,
) -> go.Figure:
    """Draw slices as one grey scale, with lines where the others cut.

    Parameters
    ----------
    volume
        What the slices are of.
    slabs
        Of `Volume.slab`, by plane; an image has `xy` alone.
    place
        Where the slices are, by axis, in the volume's units.
    contrast
        Percentiles of the slices that are black and white.
    picks
        Particles: `z, y, x` in the volume's units, `label` and `particle_id`. Those within
        `reach` of a slice are drawn on it; the index is what one that is clicked is known by.
    scheme
        Colours of the labels.
    reach
        Farthest that a pick is from a slice, in the volume's units.
    """
    low, high = np.percentile(np.concatenate([s.ravel() for s in slabs.values()]), contrast)
    size = dict(zip("zyx", volume.shape, strict=True))
    figure = _grid(size, flat=len(slabs) == 1)
    for plane, slab in slabs.items():
        row, column, across, down, _ = _GRID[plane]
        cell = {"row": row, "col": column}
        step, shift = volume.step, volume.shift_a
        figure.add_trace(
            go.Image(
                source=_png(to_grey(slab, low, high)),
                x0=shift,
                dx=step,
                y0=shift,
                dy=step,
                hovertemplate=f"{across} %{{x:.0f}}, {down} %{{y:.0f}}<extra></extra>",
            ),
            **cell,
        )
        ends = [shift - step / 2, shift + (size[across] - 0.5) * step]
        figure.update_xaxes(range=ends, **cell)
        ends = [shift + (size[down] - 0.5) * step, shift - step / 2]
        figure.update_yaxes(range=ends, **cell)
        if len(slabs) > 1:
            figure.add_vline(x=place[across], line={"color": _LINE, "width": 1}, **cell)
            figure.add_hline(y=place[down], line={"color": _LINE, "width": 1}, **cell)
        if picks is not None and scheme is not None:
            _add_picks(figure, plane, picks, place, scheme, reach)
    _lay_out(figure, volume, size, slabs)
    return figure


def _grid(size: Mapping[str, int], *, flat: bool) -> go.Figure:
    if flat:
        return make_subplots(1, 1)
    return make_subplots(
        2,
        2,
        column_widths=[size["x"], size["z"]],
        row_heights=[size["y"], size["z"]],
        specs=[[{}, {}], [{}, None]],
        horizontal_spacing=0.06,
        vertical_spacing=0.06,
    )


def _add_picks(
    figure: go.Figure,
    plane: Plane,
    picks: pd.DataFrame,
    place: Mapping[str, float],
    scheme: Scheme,
    reach: float,
) -> None:
    row, column, across, down, normal = _GRID[plane]
    near = picks[(picks[normal] - place[normal]).abs() <= reach].head(_MOST_PICKS)
    kind = as_category(near["label"])
    for number, name in enumerate(scheme.names or ()):
        own = near[kind == name]
        if own.empty:
            continue
        figure.add_scatter(
            x=own[across],
            y=own[down],
            mode="markers",
            name=for_plotly(name, 30),
            showlegend=False,
            customdata=own.index.to_numpy()[:, None],
            text=[f"{for_plotly(i)}<br>{for_plotly(name)}" for i in own["particle_id"]],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "symbol": f"{Scheme.symbol(number)}-open",
                "size": 13,
                "color": scheme.colour(number),
                "line": {"width": 2},
            },
            row=row,
            col=column,
        )


def _lay_out(
    figure: go.Figure, volume: Volume, size: Mapping[str, int], slabs: Mapping[Plane, Any]
) -> None:
    unit = "Å" if volume.voxel_size_a else "pixels" if len(slabs) == 1 else "voxels"
    for plane in slabs:
        row, column, across, down, _ = _GRID[plane]
        horizontal, vertical = f"{across} ({unit})", f"{down} ({unit})"
        plain = {"showgrid": False, "zeroline": False, "row": row, "col": column}
        figure.update_xaxes(title_text=horizontal, constrain="domain", **plain)
        figure.update_yaxes(title_text=vertical, constrain="domain", **plain)
    wide, tall = size["x"], size["y"]
    if len(slabs) > 1:
        wide, tall = wide + size["z"], tall + size["z"]
    figure.update_layout(
        height=int(np.clip(_WIDTH * tall / wide, 360, 1100)),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        dragmode="pan",
        showlegend=False,
        uirevision="slices",
    )


def _png(grey: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(buffer, format="PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
