"""The tools that Plotly shows beside a chart."""

from typing import Any


def chart_config(name: str, *, zooms: bool = False) -> dict[str, Any]:
    """Configure a chart's tools: its picture is saved as SVG, named `name`.

    Parameters
    ----------
    name
        Of the picture's file, without its ending.
    zooms
        Whether the wheel zooms; otherwise it scrolls the page.
    """
    image = {"format": "svg", "filename": name}
    return {"displaylogo": False, "scrollZoom": zooms, "toImageButtonOptions": image}
