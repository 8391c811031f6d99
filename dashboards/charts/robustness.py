"""How robust each family of a run is, from its metrics: tables, and a chart against radius."""

import re

import pandas as pd
import plotly.graph_objects as go
from latentlaw.tracking.reading.queries import METRIC

from dashboards.charts.frontier import in_order, title_and_colour
from dashboards.wording.escaping import for_plotly

_NAME = re.compile(rf"{re.escape(METRIC)}(robustness|shifts)/(.+)/([^/]+)")
_EPSILON = re.compile(r"eps_([\d.e+-]+)")
# Metric: its column. Radii are in units of normalised images.
MEASURES = {
    "shifts/none": "Accuracy",
    "robustness/median_linf": "Median radius, max of a pixel",
    "robustness/median_l2": "Median radius, L2",
    "robustness/inside": "Share inside the object",
    "robustness/inside_chance": "… by chance",
    "robustness/change_area": "Area moves by (sd)",
    "robustness/change_elongation": "Elongation moves by (sd)",
    "robustness/change_total_intensity": "Total intensity moves by (sd)",
    "shifts/equal_intensity": "Accuracy at equal intensity",
}


def robustness_table(run: pd.Series) -> pd.DataFrame:
    """Lay what a run measured of robustness out, a row a family, columns as in `MEASURES`.

    Parameters
    ----------
    run
        A row of `list_runs`. Without such metrics the table has no rows.
    """
    table = _metrics(run)
    kept = table[table["measure"].isin(MEASURES)]
    wide = kept.pivot_table(index="family", columns="measure", values="value")
    ordered = wide[[measure for measure in MEASURES if measure in wide]]
    return ordered.rename(columns=MEASURES)


def attack_curves(run: pd.Series) -> go.Figure:
    """Draw accuracy against the largest change of a pixel, a line a family."""
    table = _metrics(run)
    found = table["measure"].str.fullmatch(f"robustness/{_EPSILON.pattern}")
    curves = table[found.fillna(value=False).astype(bool)]
    epsilon = curves["measure"].str.extract(_EPSILON.pattern, expand=False).astype(float)
    curves = curves.assign(epsilon=epsilon).sort_values("epsilon")
    figure = go.Figure()
    for family in in_order(curves["family"]):
        line = curves[curves["family"] == family]
        title, colour = title_and_colour(family)
        figure.add_scatter(
            x=line["epsilon"],
            y=line["value"],
            name=for_plotly(title),
            mode="lines+markers",
            line={"color": colour},
        )
    figure.update_xaxes(title_text="Most change of a pixel (normalised images)")
    figure.update_yaxes(title_text="Accuracy under attack", range=[-0.03, 1.03])
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure


def _metrics(run: pd.Series) -> pd.DataFrame:
    """Return `family, measure, value` of the metrics of robustness that a run has."""
    rows = [
        (match[2], f"{match[1]}/{match[3]}", float(value))
        for name, value in run.items()
        if (match := _NAME.fullmatch(str(name))) and pd.notna(value)
    ]
    return pd.DataFrame(rows, columns=["family", "measure", "value"])
