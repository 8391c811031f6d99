"""Equations: the laws that runs found, typeset, beside what their variables look like."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from latentlaw.discovery.equations.canonical import TOLERANCE, group_laws
from latentlaw.discovery.equations.expressions import parse, snap, to_latex
from latentlaw.errors import DataError
from latentlaw.tracking.reading.artifacts import Missing, load_equations
from latentlaw.tracking.reading.queries import METRIC, PARAM

from dashboards.panels import latent_walk
from dashboards.panels.controls import download, download_csv
from dashboards.panels.picks import pick_runs
from dashboards.panels.pictures import show_picture
from dashboards.reading import store
from dashboards.wording.escaping import for_markdown, is_plain_latex
from dashboards.wording.labels import run_label
from dashboards.wording.laws import latents_in, latex_lines

if TYPE_CHECKING:
    import sympy

_FIGURES = {
    "discovery/equation_accuracy": ("Equations: accuracy", "{:.3f}"),
    "discovery/blackbox_accuracy": ("Black box: accuracy", "{:.3f}"),
    "discovery/accuracy_ratio": ("Share of the black box", "{:.1%}"),
    "discovery/equation_complexity": ("Equations: nodes", "{:,.0f}"),
    "discovery/blackbox_complexity": ("Black box: weights", "{:,.0f}"),
}


def render() -> None:
    """Show the page."""
    st.title("Equations")
    runs = store.read_runs("discover")
    if runs.empty:
        st.info(
            "No discover runs yet: run `mlflow run . -e discover -P model=RUN_ID -P data=STACK`"
        )
        return
    picked = pick_runs("equations", runs, newest=1, label="Discover runs")
    if picked.empty:
        st.info("Pick at least one discover run.")
    for number, (_, run) in enumerate(picked.iterrows()):
        _run(run, walks=not number)
    if len(picked) > 1:
        _shared_laws(picked)


def _shared_laws(picked: pd.DataFrame) -> None:
    """Show the laws that several of the picked runs found for a class, by the model they explain.

    The latents of two models differ even where they share a name.
    """
    found: dict[tuple[str, str], list[tuple[sympy.Expr, str]]] = {}
    for _, run in picked.iterrows():
        table = store.read_artifact(load_equations, run["run_id"])
        for _, equation in () if table is None else table.iterrows():
            text = equation["expression"]
            try:
                law = parse(text, latents_in(text))
            except DataError:
                continue  # shown with its run as it stands
            key = (str(run.get(f"{PARAM}model")), equation["class"])
            found.setdefault(key, []).append((law, run["run_id"]))
    rows = [
        (name, group)
        for (_, name), laws in sorted(found.items())
        for group in group_laws(laws)
        if group.times > 1
    ]
    st.header("Found by several runs", divider="gray")
    st.caption(
        "Laws of the latents of one model that are equal up to algebra, with constants within "
        f"{TOLERANCE:.0%}."
    )
    if not rows:
        st.info("No two of the picked runs found the same law of one model.")
    for name, group in rows:
        title, law, times = st.columns([2, 7, 3], vertical_alignment="center")
        title.markdown(f"**{for_markdown(name)}**")
        law.latex(to_latex(snap(group.expression)))
        times.caption(f"found by **{group.times} of {len(picked)}** runs")


def _run(run: pd.Series, *, walks: bool) -> None:
    """Show a run's laws; with `walks`, its latent space as well: the URL has sliders of one."""
    st.header(for_markdown(run_label(run)), divider="gray")
    figures = [(m, t) for m, t in _FIGURES.items() if pd.notna(run.get(METRIC + m))]
    for (metric, (title, form)), column in zip(figures, st.columns(5), strict=False):
        column.metric(title, form.format(run[METRIC + metric]))
    table = store.read_artifact(load_equations, run["run_id"])
    if table is None:
        return
    if table.empty:
        st.info("This run found no equation: give it more time, `-P budget_s=300`.")
        return
    st.caption(
        "One expression per class, of the latents z. The class with the largest value wins."
    )
    meanings = store.read_meanings(run["run_id"])
    for _, equation in table.iterrows():
        _equation(equation, meanings)
    _downloads(run["run_id"], table)
    _traversals(run["run_id"], table, meanings)
    if walks:
        latent_walk.show(run, latents_in(" ".join(table["expression"])), meanings)


def _downloads(run_id: str, table: pd.DataFrame) -> None:
    tex, csv, _ = st.columns([1, 1, 6])
    pairs = list(zip(table["class"], table["latex"], strict=True))
    download(
        "LaTeX",
        "equations.tex",
        lambda: latex_lines(pairs),
        "text/x-tex",
        place=tex,
        key=f"tex-{run_id}",
        width="stretch",
    )
    download_csv(table, "equations.csv", place=csv, key=f"csv-{run_id}", width="stretch")


def _equation(equation: pd.Series, meanings: Mapping[str, str]) -> None:
    with st.container(border=True):
        name, law, numbers, copy = st.columns([2, 7, 2, 1], vertical_alignment="center")
        name.markdown(f"**{for_markdown(equation['class'])}**")
        if is_plain_latex(equation["latex"]):
            law.latex(equation["latex"])
        else:
            law.code(equation["expression"], language=None, wrap_lines=True)
        for label, form in (("complexity", "{:,.0f}"), ("accuracy", "{:.3f}")):
            if pd.notna(equation[label]):
                numbers.caption(f"{label} **{form.format(equation[label])}**")
        if pd.notna(equation["times"]) and pd.notna(equation["of"]):
            times, of = equation["times"], equation["of"]
            numbers.caption(f"found by **{times:.0f} of {of:.0f}** searches")
        with copy.popover("Copy", help="LaTeX and plain text, with a button that copies each"):
            st.code(equation["latex"], language="latex", wrap_lines=True)
            st.code(equation["expression"], language=None, wrap_lines=True)
        named = [z for z in latents_in(equation["expression"]) if z in meanings]
        if named:
            st.caption(" · ".join(f"**{z}** {for_markdown(meanings[z])}" for z in named))


def _traversals(run_id: str, table: pd.DataFrame, meanings: Mapping[str, str]) -> None:
    latents = latents_in(" ".join(table["expression"]))
    strips = {z: store.read_picture(run_id, f"traversals/{z}.png") for z in latents}
    strips = {z: s for z, s in strips.items() if not _is_absent(s)}
    if not strips:
        return
    st.subheader("What the variables look like")
    st.caption(
        "The mean particle as one latent goes from its 2nd to its 98th percentile. Beside it the "
        "image feature that it goes with on test images, where there is one (r: Spearman)."
    )
    halves = st.columns(2, gap="large")
    for place, (latent, strip) in enumerate(strips.items()):
        name, picture = halves[place % 2].columns([1, 6], vertical_alignment="center")
        name.latex(f"z_{{{latent[1:]}}}")
        if latent in meanings:
            name.caption(for_markdown(meanings[latent]))
        with picture:
            show_picture(strip, f"traversals/{latent}.png")


def _is_absent(strip: bytes | Missing) -> bool:
    return isinstance(strip, Missing) and strip.reason == "absent"


if __name__ == "__main__":
    render()
