"""Tuning: the course of a study, what its objectives depend on, its trials and Pareto set."""

import pandas as pd
import streamlit as st
from latentlaw.tracking.names import TRIALS
from latentlaw.tracking.reading.artifacts import Missing
from latentlaw.tracking.reading.studies import Study

from dashboards.charts import tuning
from dashboards.charts.palette import BETTER
from dashboards.panels.controls import download_csv
from dashboards.panels.picks import short_labels
from dashboards.reading import store
from dashboards.tables.measures import measure_title
from dashboards.wording.escaping import for_markdown, shorten

_FOLLOW_S = 5
_STATES = {
    "COMPLETE": "Complete",
    "PRUNED": "Pruned",
    "FAIL": "Failed",
    "RUNNING": "Running",
    "WAITING": "Waiting",
}


def render() -> None:
    """Show the page."""
    st.title("Tuning")
    runs = store.read_runs("tune")
    if runs.empty:
        st.info(
            "No study yet: `mlflow run . -e tune -P data=STACK -P trials=20` searches the "
            "parameters of a model and retrains the best."
        )
        return
    labels = short_labels(runs)
    asked = [run for run in store.asked_runs() if run in labels]
    run_id = st.selectbox(
        "Study",
        list(labels),
        index=list(labels).index(asked[0]) if asked else 0,
        format_func=lambda r: labels[r],
    )
    if store.asked_runs() != [run_id]:
        st.query_params["run"] = run_id
    status = runs.set_index("run_id").loc[run_id, "status"]
    st.fragment(_study, run_every=_FOLLOW_S if status == "RUNNING" else None)(run_id)


def _study(run_id: str) -> None:
    study = store.read_study(run_id)
    if isinstance(study, Missing):
        store.explain(study)
        st.caption("Studies that an older version made show in MLflow, below `figures/`.")
        return
    states = study.trials["state"].map(lambda s: _STATES.get(s, s)).value_counts()
    st.caption(" · ".join(f"{for_markdown(name)} **{count}**" for name, count in states.items()))
    if study.complete().empty:
        st.info("No trial is complete yet: the charts come with the first.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        _history(study)
    with right:
        _importance(study)
    if len(study.objectives) > 1:
        st.subheader("Pareto set")
        st.caption("Trials that no other one matches in every objective and beats in one.")
        st.plotly_chart(tuning.pareto_chart(study), key="pareto", alt="Objectives of each trial")
    st.subheader("Trials across their parameters")
    st.caption(
        "A line a complete trial. Drag along an axis to keep the lines that cross it there; drag "
        "its name to move it."
    )
    st.plotly_chart(tuning.parallel_chart(study), key="parallel", alt="Parameters of each trial")
    _trials(study, run_id)


def _history(study: Study) -> None:
    st.subheader("History")
    names = [each.name for each in study.objectives]
    chosen = names[0]
    if len(names) > 1:
        chosen = st.selectbox("Objective", names, format_func=measure_title, key="objective")
    objective = study.objectives[names.index(chosen)]
    st.plotly_chart(
        tuning.history_chart(study, objective), key="history", alt="Value of each trial"
    )


def _importance(study: Study) -> None:
    st.subheader("Importance")
    if not any(each.importance for each in study.objectives):
        st.info("Known once two complete trials differ and the study has ended.")
        return
    st.caption("How much of an objective's variance goes with a parameter (fANOVA).")
    figure = tuning.importance_chart(study)
    st.plotly_chart(figure, key="importance", alt="Importance of each parameter")


def _trials(study: Study, run_id: str) -> None:
    st.subheader("Trials")
    names = {each.name: shorten(measure_title(each.name), 40) for each in study.objectives}
    columns = ["trial", "state", "seconds", *names, *study.parameters, "run_id", "error"]
    table = study.trials[columns].sort_values("trial")
    table["state"] = table["state"].map(lambda s: _STATES.get(s, shorten(s)))
    best = set(study.complete()[tuning.pareto_set(study)]["trial"])
    shown = table.rename(
        columns={
            **names,
            "trial": "Trial",
            "state": "State",
            "seconds": "Seconds",
            "run_id": "Run",
            "error": "Error",
        }
    )
    shown["Run"] = shown["Run"].astype("string").str[:8]
    shown["Error"] = shown["Error"].map(lambda e: "" if pd.isna(e) else shorten(e, 200))
    styled = shown.style.apply(
        lambda row: [BETTER if row["Trial"] in best else ""] * len(row), axis=1
    )
    st.caption("Coloured: the best, or the Pareto set.")
    st.dataframe(
        styled,
        hide_index=True,
        placeholder="",
        column_config={
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            **{name: st.column_config.NumberColumn(format="%.4f") for name in names.values()},
        },
    )
    download_csv(table, f"{run_id[:8]}_{TRIALS}")


if __name__ == "__main__":
    render()
