"""Loss and its terms against epoch: a pure function from tables to a Plotly figure."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.charts.palette import PALETTE
from dashboards.wording.escaping import for_plotly

_MARGIN = {"l": 10, "r": 10, "t": 40, "b": 10}
_TERM_TITLES = {
    "loss": "Loss",
    "reconstruction": "Reconstruction",
    "kl": "KL divergence (nats)",
    "affinity": "Affinity term",
    "mutual_information": "Mutual information (nats)",
    "total_correlation": "Total correlation (nats)",
    "dimension_wise_kl": "Dimension-wise KL (nats)",
    "pose": "Pose term",
}


def loss_curves(histories: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw loss and its terms against epoch: a panel a term, a colour a run, validation dashed.

    Parameters
    ----------
    histories
        Label of a run: its `loss_history`.
    """
    present = {term for table in histories.values() for term in table["term"]}
    terms = [term for term in _TERM_TITLES if term in present]
    rows = max(1, -(-len(terms) // 2))
    columns = 2 if len(terms) > 1 else 1
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[_TERM_TITLES[term] for term in terms],
        horizontal_spacing=0.07,
        vertical_spacing=0.28 / rows,
    )
    for number, (label, table) in enumerate(histories.items()):
        parts = sorted(table.groupby(["term", "split"]), key=lambda item: item[0][1] == "val")
        for order, ((term, split), part) in enumerate(parts):
            place = terms.index(str(term))
            name = for_plotly(label)
            figure.add_trace(
                go.Scatter(
                    x=part["epoch"],
                    y=part["value"],
                    mode="lines" if len(part) > 1 else "markers",
                    name=name,
                    legendgroup=name,
                    showlegend=order == 0,
                    line={
                        "color": PALETTE[number % len(PALETTE)],
                        "dash": "dash" if split == "val" else "solid",
                        "width": 2,
                    },
                ),
                row=place // 2 + 1,
                col=place % 2 + 1,
            )
    for place in range(max(0, len(terms) - 2), len(terms)):
        figure.update_xaxes(title_text="Epoch", row=place // 2 + 1, col=place % 2 + 1)
    figure.update_layout(
        height=300 * rows + 60,
        margin=_MARGIN,
        legend={"orientation": "h", "y": -0.15, "yanchor": "top"},
    )
    return figure
