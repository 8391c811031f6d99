"""Accuracy against complexity: what simplicity costs, and the simplest model that is enough."""

from typing import Any

import pandas as pd
import streamlit as st
from latentlaw.tracking.artifacts import Missing
from latentlaw.tracking.names import PERTURBATIONS
from latentlaw.tracking.queries import METRIC

from dashboards import state
from dashboards.frontier_chart import frontier_chart
from dashboards.measures import black_box_accuracy, simplest_above
from dashboards.robustness import attack_curves, robustness_table
from dashboards.text import for_markdown

_BLACK_BOX = METRIC + "discovery/blackbox_accuracy"


def render() -> None:
    """Show the page."""
    st.title("Accuracy against complexity")
    runs = state.read_runs("discover")
    if runs.empty:
        st.info(
            "No discover runs yet: run `mlflow run . -e discover -P model=RUN_ID -P data=STACK`"
        )
        return
    left, right = st.columns([3, 2])
    with left:
        picked = state.pick_runs("frontier", runs, newest=2, label="Discover runs")
    share = right.slider("Share of the black box's accuracy", 0.5, 1.0, 0.98, 0.005, format="%.3f")
    labels = state.short_labels(picked)
    frontiers: dict[str, pd.DataFrame] = {}
    answers: list[dict[str, Any]] = []
    thresholds: dict[str, float] = {}
    for _, run in picked.iterrows():
        table = state.read_artifact(run["run_id"], "load_frontier")
        if table is None or table.empty:
            continue
        label = labels[run["run_id"]]
        frontiers[label] = table
        box = black_box_accuracy(table, run.get(_BLACK_BOX))
        if box is not None:
            thresholds[label] = share * box
            answers.append(_answer(label, table, box, share))
    if not frontiers:
        st.info("Pick a discover run that recorded a frontier.")
        return
    for answer in answers:
        _say(answer, share)
    chosen = {a["label"]: a["model"] for a in answers if a["model"] is not None}
    st.caption("Ringed: the simplest model above the threshold (broken line) of its run.")
    figure = frontier_chart(frontiers, thresholds, chosen)
    st.plotly_chart(figure, alt="Accuracy against complexity of every model")
    _models(frontiers)
    for _, run in picked.iterrows():
        _robustness(run)


def _answer(label: str, table: pd.DataFrame, box: float, share: float) -> dict[str, Any]:
    return {"label": label, "box": box, "model": simplest_above(table, share * box)}


def _say(answer: dict[str, Any], share: float) -> None:
    label, model = for_markdown(answer["label"]), answer["model"]
    need = f"{share * answer['box']:.3f} ({share:.1%} of the black box's {answer['box']:.3f})"
    if model is None:
        st.warning(f"{label}: no model reaches {for_markdown(need)}.")
        return
    st.success(
        f"{label}: the simplest model above {need} is **{for_markdown(model['name'])}** "
        f"({for_markdown(model['family'])}), complexity **{model['complexity']:,.0f}**, "
        f"accuracy **{model['accuracy']:.3f}**."
    )


def _models(frontiers: dict[str, pd.DataFrame]) -> None:
    table = pd.concat([t.assign(run=label) for label, t in frontiers.items()])
    table = table.sort_values(["run", "complexity"])
    names = {
        "run": "Run",
        "family": "Family",
        "name": "Model",
        "complexity": "Complexity",
        "accuracy": "Accuracy",
        "macro_f1": "Macro F1",
    }
    number = st.column_config.NumberColumn
    st.subheader("Models")
    st.dataframe(
        table[list(names)].rename(columns=names),
        hide_index=True,
        height=min(640, 38 + 35 * len(table)),
        column_config={
            "Complexity": number(format="localized"),
            "Accuracy": number(format="%.3f"),
            "Macro F1": number(format="%.3f"),
        },
    )


def _robustness(run: pd.Series) -> None:
    table = robustness_table(run)
    if table.empty:
        return
    st.subheader(f"Robustness: {for_markdown(state.run_label(run))}")
    st.caption(
        "On test particles, units of normalised images. The radius is that of the smallest change "
        "found that makes a model err; the share is of the energy of the smallest L2 changes, "
        "within what stands out of the image; movements are medians, in standard deviations."
    )
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(table, column_config=dict.fromkeys(table.columns, number))
    st.plotly_chart(attack_curves(run), key=f"attack-{run['run_id']}", alt="Accuracy under attack")
    picture = state.read_picture(run["run_id"], PERTURBATIONS)
    if isinstance(picture, Missing):
        state.explain(picture)
    else:
        state.show_png(picture, PERTURBATIONS)


if __name__ == "__main__":
    render()
