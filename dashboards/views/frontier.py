"""Accuracy against complexity: what simplicity costs, and the simplest model that is enough."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from latentlaw.tracking.names import PERTURBATIONS
from latentlaw.tracking.reading.artifacts import load_frontier
from latentlaw.tracking.reading.queries import METRIC, PARAM

from dashboards.charts.config import chart_config
from dashboards.charts.frontier import family_title, frontier_chart
from dashboards.charts.robustness import attack_curves, robustness_table
from dashboards.panels.controls import download_csv
from dashboards.panels.picks import pick_runs, short_labels
from dashboards.panels.pictures import show_picture
from dashboards.panels.plot_events import pointed
from dashboards.reading import store
from dashboards.tables.measures import black_box_accuracy, simplest_above
from dashboards.wording.escaping import for_markdown
from dashboards.wording.labels import run_label
from dashboards.wording.laws import typeset

_BLACK_BOX = METRIC + "discovery/blackbox_accuracy"
_CHART, _RUNG = "frontier", "model"
_SUGGESTION = "run `mlflow run . -e discover -P model=RUN_ID -P data=STACK`"


@dataclass(frozen=True)
class Frontier:
    """The models of one run on one task, and what they are measured against."""

    run: pd.Series
    label: str
    table: pd.DataFrame
    box: float | None
    comparable: str

    def simplest(self, share: float) -> pd.Series | None:
        """Return the simplest model with a share of the black box's accuracy."""
        return None if self.box is None else simplest_above(self.table, share * self.box)


def render() -> None:
    """Show the page."""
    st.title("Accuracy against complexity")
    runs = store.read_runs("discover", "ladder")
    if runs.empty:
        st.info(f"No discover runs yet: {_SUGGESTION}")
        return
    left, right = st.columns([3, 2])
    with left:
        picked = pick_runs(
            "frontier", runs, newest=2, label="Runs that discovered laws, or cross-validated them"
        )
    share = right.slider(
        "Share of the black box's accuracy", 50.0, 100.0, 98.0, 0.5, format="%.1f %%",
        key="share", bind="query-params",
    ) / 100  # fmt: skip
    frontiers = _read(picked)
    if not frontiers:
        st.info(f"Pick a run that recorded a frontier, or {_SUGGESTION}")
        return
    for frontier in frontiers:
        _say(frontier, share)
    st.fragment(_chart)(frontiers, share)
    _models(frontiers)
    for _, run in picked.iterrows():
        _robustness(run)


def _read(picked: pd.DataFrame) -> list[Frontier]:
    """Read the frontiers of runs, a task each; a model has one row number over all of them."""
    labels = short_labels(picked)
    found: list[Frontier] = []
    rows = 0
    for _, run in picked.iterrows():
        for task, name in enumerate(_tasks(run)):
            table = store.read_artifact(load_frontier, run["run_id"], task)
            if table is None or table.empty:
                continue
            numbered = table.set_axis(range(rows, rows + len(table)))
            rows += len(table)
            logged = run.get(_BLACK_BOX)
            box = black_box_accuracy(_single(numbered), logged)
            label = labels[run["run_id"]] + (f" · {name}" if name else "")
            found.append(Frontier(run, label, numbered, box, f"{run['data_digest']} {name}"))
    return found


def _tasks(run: pd.Series) -> list[str]:
    """Return the classes that each of a run's frontiers tells apart; empty: all."""
    several = run.get(f"{PARAM}tasks")
    if run["stage"] == "ladder" and isinstance(several, str) and several != "None":
        return [task.strip() for task in several.split(";")]
    classes = run.get(f"{PARAM}classes")
    return [classes if isinstance(classes, str) and classes != "None" else ""]


def _single(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row that is the black box, where one is called so; else all rows."""
    named = table[table["name"] == "black box"]
    return table if named.empty else named


def _say(frontier: Frontier, share: float) -> None:
    label, box, model = for_markdown(frontier.label, 120), frontier.box, frontier.simplest(share)
    if box is None:
        return
    need = f"{share * box:.3f} ({share:.1%} of the black box's {box:.3f})"
    if model is None:
        st.warning(f"{label}: no model reaches {for_markdown(need)}.")
        return
    family = for_markdown(family_title(model["family"]))
    st.success(
        f"{label}: the simplest model above {need} is **{for_markdown(model['name'])}** "
        f"({family}), complexity **{model['complexity']:,.0f}**, "
        f"accuracy **{model['accuracy']:.3f}**."
    )


def _chart(frontiers: list[Frontier], share: float) -> None:
    st.caption(
        "Ringed: the simplest model above the threshold (broken line) of its run. Point at a "
        "model to read its equations, click to keep it below. Bars: 95 % intervals over folds "
        "and seeds, where a run has them."
    )
    figure = frontier_chart(
        {f.label: f.table for f in frontiers},
        {f.label: share * f.box for f in frontiers if f.box is not None},
        {f.label: model for f in frontiers if (model := f.simplest(share)) is not None},
        {f.label: f.comparable for f in frontiers},
    )
    with st.container(key=_CHART):
        st.plotly_chart(
            figure,
            key=f"{_CHART}-chart",
            config=chart_config("accuracy-against-complexity"),
            alt="Accuracy against complexity of every model",
        )
    clicked = pointed([_CHART])[1]
    kept = None if clicked is None else _find(frontiers, clicked.row)
    if kept is not None:
        st.query_params[_RUNG] = f"{kept[0].run['run_id']}~{kept[1]['name']}"
    else:
        kept = _named(frontiers, st.query_params.get(_RUNG, ""))
    if kept is not None:
        _rung(*kept)


def _find(frontiers: list[Frontier], row: int) -> tuple[Frontier, pd.Series] | None:
    for frontier in frontiers:
        own = frontier.table[frontier.table.index == row]
        if len(own):
            return frontier, own.iloc[0]
    return None


def _named(frontiers: list[Frontier], text: str) -> tuple[Frontier, pd.Series] | None:
    run_id, _, name = text.partition("~")
    for frontier in frontiers:
        own = frontier.table[frontier.table["name"] == name]
        if frontier.run["run_id"] == run_id and len(own):
            return frontier, own.iloc[0]
    return None


def _rung(frontier: Frontier, rung: pd.Series) -> None:
    """Show one model: its numbers and, if it is one of equations, those."""
    with st.container(border=True):
        st.markdown(f"**{for_markdown(rung['name'])}** · {for_markdown(frontier.label, 120)}")
        numbers = {
            "Complexity": f"{rung['complexity']:,.0f}",
            "Accuracy": f"{rung['accuracy']:.3f}",
            "Macro F1": f"{rung['macro_f1']:.3f}",
        }
        if frontier.box:
            numbers["Share of the black box"] = f"{rung['accuracy'] / frontier.box:.1%}"
        for (title, value), column in zip(numbers.items(), st.columns(4), strict=False):
            column.metric(title, value)
        for name, text in rung["expressions"].items():
            left, law = st.columns([2, 10], vertical_alignment="center")
            left.markdown(f"**{for_markdown(name)}**")
            latex = typeset(text)
            if latex is None:
                law.code(text, language=None, wrap_lines=True)
            else:
                law.latex(latex)
        if frontier.run["stage"] == "discover":
            st.page_link(
                "views/equations.py",
                label="The run's chosen equations, with what their variables look like",
                icon=":material/function:",
                query_params={"run": frontier.run["run_id"]},
            )


def _models(frontiers: list[Frontier]) -> None:
    table = pd.concat([f.table.assign(run=f.label) for f in frontiers])
    names = {
        "run": "Run",
        "family": "Family",
        "name": "Model",
        "complexity": "Complexity",
        "accuracy": "Accuracy",
        "accuracy_low": "from",
        "accuracy_high": "to",
        "macro_f1": "Macro F1",
    }
    if table["accuracy_low"].isna().all():
        names = {k: v for k, v in names.items() if k not in ("accuracy_low", "accuracy_high")}
    shown = table.sort_values(["run", "complexity"])[list(names)].rename(columns=names)
    shown["Family"] = shown["Family"].map(family_title)
    score = st.column_config.NumberColumn(format="%.3f")
    st.subheader("Models")
    st.dataframe(
        shown,
        hide_index=True,
        height=min(640, 38 + 35 * len(shown)),
        column_config={
            "Complexity": st.column_config.NumberColumn(format="localized"),
            **dict.fromkeys(("Accuracy", "from", "to", "Macro F1"), score),
        },
    )
    download_csv(shown, "models.csv")


def _robustness(run: pd.Series) -> None:
    table = robustness_table(run)
    if table.empty:
        return
    table = table.rename(index=family_title)
    table.index.name = "Family"
    st.subheader(f"Robustness: {for_markdown(run_label(run))}")
    st.caption(
        "On test particles, units of normalised images. The radius is that of the smallest change "
        "found that makes a model err; the share is of the energy of the smallest L2 changes, "
        "within what stands out of the image; movements are medians, in standard deviations."
    )
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(table, column_config=dict.fromkeys(table.columns, number))
    st.plotly_chart(
        attack_curves(run),
        key=f"attack-{run['run_id']}",
        config=chart_config("accuracy-under-attack"),
        alt="Accuracy under attack",
    )
    show_picture(store.read_picture(run["run_id"], PERTURBATIONS), PERTURBATIONS)


if __name__ == "__main__":
    render()
