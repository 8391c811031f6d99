"""The particles behind a run: its stack, found and checked, and pictures of some of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from latentlaw.data.inspection.previews import Image, gallery, orthogonal_planes
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import DataError
from latentlaw.tracking.reading.queries import PARAM
from numpy.typing import NDArray

from dashboards.reading import store

MOST_SHOWN = 40
_MOST_BYTES = 64 * 2**20  # read for one mean
_DIGEST_SHOWN = 12


def locate(data: str) -> str:
    """Return where data is that a run names by a path of its own working directory.

    That is the folder of the store of runs, as a rule: `mlflow run .` works where it lies.
    """
    if "://" in data or Path(data).is_absolute():
        return data
    uri = store.tracking_uri()
    file = uri.removeprefix("sqlite:///").split("?")[0]
    folders = [Path(file).parent] if file != uri.split("?")[0] else []
    tried = [folder / data for folder in (*folders, Path.cwd(), store.ROOT)]
    return str(next((path for path in tried if path.exists()), tried[-1]))


@st.cache_resource(max_entries=8, ttl=600, show_spinner=False)
def _opened(path: str, changed: float) -> ParticleStack:
    return open_stack(path)


def open_checked(path: str) -> ParticleStack:
    """Open a stack, again if it has changed since.

    Raises
    ------
    DataError
        If there is no whole stack at `path`.
    """
    header = Path(path) / "zarr.json"
    return _opened(path, header.stat().st_mtime if header.is_file() else 0.0)


def stack_of(run: pd.Series) -> ParticleStack | str:
    """Return the stack that a run names as its data, or why it cannot be shown."""
    data = run.get(f"{PARAM}data")
    if not isinstance(data, str) or not data:
        return "This run does not say which particle stack it used."
    try:
        stack = open_checked(locate(data))
    except DataError as error:
        return f"The particles cannot be shown: {error}"
    digest = str(run["data_digest"])
    if digest and digest != stack.digest:
        return (
            f"The particles cannot be shown: {stack.path} has changed since the run "
            f"(digest {stack.digest[:_DIGEST_SHOWN]}…, the run used {digest[:_DIGEST_SHOWN]}…)."
        )
    return stack


def rows_of(stack: ParticleStack, ids: pd.Series) -> NDArray[np.intp]:
    """Return the rows of particles in a stack, `(n,)`; those it lacks are left out."""
    rows = ids.index.to_numpy()
    if len(rows) and rows.max() < len(stack):  # as `evaluate` logs them, in the stack's order
        same = stack.table["particle_id"].iloc[rows].to_numpy() == ids.to_numpy()
        if same.all():
            return np.asarray(rows, np.intp)
    found = pd.Index(stack.table["particle_id"]).get_indexer(pd.Index(ids))
    return np.asarray(found[found >= 0], np.intp)


@st.cache_data(max_entries=512, ttl=600, show_spinner=False)
def slices_of(_stack: ParticleStack, digest: str, row: int) -> dict[str, Image]:
    """Return the central slices of a particle, by plane."""
    return orthogonal_planes(_stack.read(np.array([row]))[0])


@st.cache_data(max_entries=16, ttl=600, show_spinner=False)
def gallery_of(_stack: ParticleStack, digest: str, rows: tuple[int, ...], columns: int) -> Image:
    """Return the central slices of particles side by side."""
    return gallery(_stack.read(np.array(rows)), columns=columns)


@st.cache_data(max_entries=16, ttl=600, show_spinner=False)
def mean_of(_stack: ParticleStack, digest: str, rows: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the mean image `(c, [z,] y, x)` of particles, as they lie."""
    total: NDArray[Any] = np.zeros(_stack.item_shape, np.float64)
    for start in range(0, len(rows), 32):
        total += _stack.read(np.array(rows[start : start + 32])).sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(rows), np.float32)


def spread(rows: NDArray[np.intp], most: int) -> tuple[int, ...]:
    """Return at most `most` of the rows, evenly spread over them."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return tuple(rows[places].tolist())


def most_averaged(stack: ParticleStack) -> int:
    """Return of how many particles a mean is made at most."""
    return int(max(1, _MOST_BYTES // (4 * int(np.prod(stack.item_shape)))))
