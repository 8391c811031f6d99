"""The particles within a region of an embedding: what they are, how they look, and as files."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import streamlit as st
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.previews import orthogonal_planes
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.particles.star_rows import write_selected
from numpy.typing import NDArray

from dashboards.charts.colouring import as_category
from dashboards.panels.controls import download, download_csv
from dashboards.panels.pictures import show_slices
from dashboards.reading import stacks
from dashboards.wording.escaping import for_markdown
from dashboards.wording.labels import run_label

_COLUMNS = 10
_KEPT = ("predicted", "probability", "novelty")


def show_members(run: pd.Series, table: pd.DataFrame, members: NDArray[np.intp]) -> None:
    """Show the particles at `members`, `(n,)` rows of an embedding, and offer them as files."""
    chosen = table.iloc[members]
    share = len(chosen) / max(len(table), 1)
    st.markdown(f"**{len(chosen):,} particles** selected, {share:.1%} of the embedding")
    if chosen.empty:
        st.info("No particle lies in the region: draw around some, or clear the selection.")
        return
    left, right = st.columns([1, 2])
    with left:
        _composition(table, chosen)
    with right:
        stack = stacks.stack_of(run)
        if isinstance(stack, str):
            st.info(for_markdown(stack, 600), icon=":material/broken_image:")
            _downloads(chosen, None, np.array([], np.intp))
            return
        rows = stacks.rows_of(stack, chosen["particle_id"])
        _pictures(stack, rows)
        _downloads(chosen, stack, rows)


def _composition(table: pd.DataFrame, chosen: pd.DataFrame) -> None:
    """Show how many of each class are selected, and what share of the class that is."""
    every = as_category(table["label"]).value_counts()
    own = as_category(chosen["label"]).value_counts()
    shown = pd.DataFrame({"Particles": own, "Of the class": own / every.reindex(own.index)})
    shown.index.name = "Class"
    number = st.column_config
    st.dataframe(
        shown,
        height=min(300, 38 + 35 * len(shown)),
        column_config={
            "Particles": number.NumberColumn(format="localized"),
            "Of the class": number.ProgressColumn(format="percent", min_value=0, max_value=1),
        },
    )
    for column, form in (("probability", "{:.2f}"), ("novelty", "{:.2f}")):
        if column in chosen:
            low, middle, high = chosen[column].quantile([0.25, 0.5, 0.75])
            said = " to ".join(form.format(v) for v in (low, high))
            st.caption(f"median {column} **{form.format(middle)}** (quartiles {said})")


def _pictures(stack: ParticleStack, rows: NDArray[np.intp]) -> None:
    if not len(rows):
        st.info(for_markdown(f"None of these particles is in {stack.path}.", 300))
        return
    shown = stacks.spread(rows, stacks.MOST_SHOWN)
    averaged = stacks.spread(rows, stacks.most_averaged(stack))
    mean = orthogonal_planes(stacks.mean_of(stack, stack.digest, averaged))
    flat = len(mean) == 1
    of = "" if len(averaged) == len(rows) else f"{len(averaged):,} of the "
    st.caption(f"Mean of {of}{len(rows):,}, as they lie (not aligned)")
    for column, (plane, picture) in zip(st.columns(6), mean.items(), strict=False):
        column.image(
            picture, caption=None if flat else plane, width="stretch", output_format="PNG"
        )
    of = "" if len(shown) == len(rows) else f"{len(shown)} of the {len(rows):,}, evenly spread: "
    st.caption(f"{of}{'images' if flat else 'central xy slices'}")
    picture = stacks.gallery_of(stack, stack.digest, shown, _COLUMNS)
    st.image(picture, width="stretch", output_format="PNG")


def _downloads(chosen: pd.DataFrame, stack: ParticleStack | None, rows: NDArray[np.intp]) -> None:
    buttons = st.columns(3)
    download_csv(
        chosen,
        "members.csv",
        place=buttons[0],
        width="stretch",
        help="What the embedding says of each selected particle, latents as well",
    )
    if stack is None or not len(rows):
        return
    extra = {name: chosen[name] for name in _KEPT if name in chosen and len(rows) == len(chosen)}
    download(
        "STAR",
        "members.star",
        lambda: star_bytes(stack, rows, extra),
        "text/plain",
        place=buttons[1],
        width="stretch",
        help="The selected particles for RELION: the lines of the stack's own STAR file if it "
        "has one, with what the model says of each",
    )
    if len(stack.item_shape) == 4:
        averaged = stacks.spread(rows, stacks.most_averaged(stack))
        download(
            "Mean as MRC",
            "mean.mrc",
            lambda: _mrc_bytes(stack, averaged),
            "application/octet-stream",
            place=buttons[2],
            width="stretch",
        )


def star_bytes(stack: ParticleStack, rows: NDArray[np.intp], extra: dict[str, pd.Series]) -> bytes:
    """Return the particles `rows` of a stack as a STAR file, with further columns."""
    columns = {name: values.to_numpy() for name, values in extra.items()}
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "members.star"
        write_selected(path, stack, rows, **columns)
        return path.read_bytes()


def _mrc_bytes(stack: ParticleStack, rows: tuple[int, ...]) -> bytes:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "mean.mrc"
        mean = stacks.mean_of(stack, stack.digest, rows)
        write_mrc(path, mean[0], stack.voxel_size_a or 1.0)
        return path.read_bytes()


def show_particle(run: pd.Series, table: pd.DataFrame, row: int, title: str) -> None:
    """Show one particle: its central slices, and what the model says of it."""
    particle = table.iloc[row]
    st.markdown(f"**{for_markdown(particle['particle_id'])}** · {title}")
    stack = stacks.stack_of(run)
    if isinstance(stack, str):
        st.caption(for_markdown(stack, 600))
    else:
        found = stacks.rows_of(stack, table["particle_id"].iloc[[row]])
        if len(found):
            show_slices(stack, int(found[0]))
    st.caption(_said(particle))
    st.caption(for_markdown(run_label(run), 80))


def _said(particle: pd.Series) -> str:
    known = particle["label"]
    lines = [f"class **{for_markdown('unknown' if pd.isna(known) else known)}**"]
    if "predicted" in particle:
        sure = particle.get("probability")
        said = f" ({sure:.0%})" if pd.notna(sure) else ""
        lines.append(f"predicted **{for_markdown(particle['predicted'])}**{said}")
    if pd.notna(particle.get("novelty")):
        lines.append(f"novelty **{particle['novelty']:.2f}**")
    lines.append(for_markdown(particle["split"]))
    return " · ".join(lines)
