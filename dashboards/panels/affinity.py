"""A run's similarities of classes: the prior, what the latent space learned, the difference."""

import streamlit as st
from latentlaw.tracking.reading.artifacts import load_affinity

from dashboards.charts.affinity import affinity_heatmap
from dashboards.charts.config import chart_config
from dashboards.reading import store
from dashboards.wording.escaping import for_markdown


def show(run_id: str, label: str) -> None:
    """Show the heat maps that a run has, side by side."""
    st.markdown(f"**{for_markdown(label)}**")
    affinity = store.read_artifact(load_affinity, run_id)
    if affinity is None:
        return
    used, learned = affinity.used, affinity.learned
    panels = []
    if used is not None:
        panels.append(("Prior, as used in training", used, False))
    else:
        st.caption("This model was trained without an affinity prior.")
    if learned is not None:
        panels.append(("Learned: mean cosine of latents", learned, False))
    if used is not None and learned is not None:
        panels.append(("Learned minus prior", learned - used, True))
    for (title, matrix, difference), column in zip(panels, st.columns(3), strict=False):
        figure = affinity_heatmap(matrix, affinity.class_names, difference=difference)
        column.caption(title)
        column.plotly_chart(
            figure,
            key=f"affinity-{run_id}-{title}",
            config=chart_config(title),
            alt=title,
        )
