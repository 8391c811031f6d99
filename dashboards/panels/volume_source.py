"""What the page of particles shows: a tomogram with picks, or one particle of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st
from latentlaw.data.inspection.slices import Volume, level_within, particle_volume, tomogram_volume
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.tomograms.names import tomogram_key, tomograms_by_name
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.tracking.reading.queries import PARAM

from dashboards.reading import stacks, store
from dashboards.wording.escaping import for_markdown

_STACK = ".particles.zarr"
_NO_PICKS = "No picks"


@dataclass(frozen=True)
class Shown:
    """A volume on the page, its identity for caches, and the picks in it."""

    volume: Volume
    name: str
    picks: pd.DataFrame | None = None
    stack: ParticleStack | None = None


def known_sources() -> dict[str, list[str]]:
    """List the tomogram stores and stacks that runs read or made, the newest first."""
    runs = store.read_runs("ingest", "extract", "collect", "train")
    tomograms: dict[str, None] = {}
    found: dict[str, None] = {}
    for _, run in runs.iterrows():
        for name in ("tomograms", "out", "data"):
            path = run.get(PARAM + name)
            if isinstance(path, str) and path not in ("None", ""):
                is_stack = path.rstrip("/").endswith(_STACK)
                if is_stack or name == "tomograms" or run["stage"] == "ingest":
                    (found if is_stack else tomograms)[path] = None
    return {"sources": [*tomograms, *found], "stacks": list(found)}


def ask_for_volume(path: str, known_stacks: list[str]) -> Shown:
    """Open what lies at `path`, and ask which tomogram, picks or particle of it to show.

    Raises
    ------
    DataError
        If there is no whole store at `path`.
    """
    location = stacks.locate(path.strip())
    if location.rstrip("/").endswith(_STACK):
        return _one_particle(stacks.open_checked(location))
    stores = _tomograms(location, _changed(location))
    left, middle, right = st.columns([2, 2, 3])
    name = left.selectbox("Tomogram", list(stores), key="tomogram", bind="query-params")
    tomogram = stores[str(name)]
    level = middle.selectbox(
        "Voxel size",
        list(range(len(tomogram.levels))),
        level_within(tomogram),
        format_func=lambda i: f"{tomogram.voxel_size_a * 2**i:.2f} Å",
        help="Levels of the store's pyramid: the coarser, the quicker to read",
    )
    chosen = right.selectbox(
        "Picks from", [_NO_PICKS, *known_stacks], 1 if known_stacks else 0,
        accept_new_options=True, key="picks", bind="query-params",
    )  # fmt: skip
    stack = picks = None
    if chosen and chosen != _NO_PICKS:
        stack = stacks.open_checked(stacks.locate(str(chosen)))
        picks = _picks(stack, str(name))
        if picks.empty:
            st.caption(for_markdown(f"{chosen} has no particle of {name}.", 200))
    volume = tomogram_volume(tomogram, int(level or 0))
    return Shown(volume, f"{tomogram.path}@{tomogram.digest}@{level}", picks, stack)


def _changed(location: str) -> float:
    """Return when a folder last changed; of a URL, 0."""
    path = Path(location)
    return path.stat().st_mtime if path.exists() else 0.0


@st.cache_resource(max_entries=8, ttl=600, show_spinner="Opening …")
def _tomograms(location: str, changed: float) -> Mapping[str, Tomogram]:
    return tomograms_by_name(location)


def _picks(stack: ParticleStack, tomogram: str) -> pd.DataFrame:
    """Return the particles of a tomogram; the index is their row in the stack."""
    table = stack.table
    names = {name: tomogram_key(str(name)) for name in table["tomogram"].dropna().unique()}
    own = table[table["tomogram"].map(names) == tomogram]
    return own.dropna(subset=list("zyx"))


def _one_particle(stack: ParticleStack) -> Shown:
    number = st.number_input(
        f"Particle, 0 to {len(stack) - 1:,}", 0, len(stack) - 1, key="row", bind="query-params"
    )
    row = int(number)
    particle = stack.table.iloc[row]
    label = "no label" if pd.isna(particle["label"]) else f"class {particle['label']}"
    st.caption(f"{for_markdown(particle['particle_id'])} · {for_markdown(label)}")
    return Shown(particle_volume(stack, row), f"{stack.digest}#{row}")
