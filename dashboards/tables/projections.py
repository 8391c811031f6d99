"""Where an embedding's particles lie in the projection that is asked for."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LOGGED = "logged"
PROJECTIONS = {
    LOGGED: "As logged (PCA of directions)",
    "pca": "PCA",
    "tsne": "t-SNE",
    "umap": "UMAP",
    "latents": "Two latents",
}
_LATENT = re.compile(r"z\d{1,4}")
_PAIR = re.compile(r"(z\d{1,4})-(z\d{1,4})")
_AXES = {
    LOGGED: ("First principal component of directions", "Second"),
    "pca": ("First principal component", "Second"),
    "tsne": ("t-SNE 1", "t-SNE 2"),
    "umap": ("UMAP 1", "UMAP 2"),
}


def latents_of(table: pd.DataFrame) -> list[str]:
    """List the columns `z0, z1, …` of an embedding, in order."""
    found = [str(c) for c in table.columns if _LATENT.fullmatch(str(c))]
    return sorted(found, key=lambda name: int(name[1:]))


def shared_latents(tables: Sequence[pd.DataFrame]) -> list[str]:
    """List the latents that every table has."""
    every = [latents_of(table) for table in tables]
    return [z for z in every[0] if all(z in each for each in every)] if every else []


def pair_of(projection: str) -> tuple[str, str] | None:
    """Return the latents of a projection such as `z0-z3`; None of any other."""
    found = _PAIR.fullmatch(projection)
    return (found[1], found[2]) if found else None


def is_projection(name: str) -> bool:
    """Tell whether `positions` knows a projection; text from a URL may be anything."""
    return name in _AXES or pair_of(name) is not None


def axis_titles(projection: str) -> tuple[str, str]:
    """Name the axes of a projection."""
    return pair_of(projection) or _AXES[projection]


def latent_means(table: pd.DataFrame) -> NDArray[np.floating[Any]]:
    """Return an embedding's latent means `(n, d)`."""
    return np.asarray(table[latents_of(table)].to_numpy(np.float32))


def positions(table: pd.DataFrame, projection: str) -> NDArray[np.floating[Any]]:
    """Return where each particle of an embedding lies, `(n, 2)`; NaN where it is nowhere.

    Parameters
    ----------
    table
        A row for each particle, with `px`, `py` and the latents `z0…` where they are known.
    projection
        `logged`; `z0-z3`, two latents; or what `project_latents` makes, which takes its time.
    """
    pair = ("px", "py") if projection == LOGGED else pair_of(projection)
    if pair is not None:
        lacking = [column for column in pair if column not in table]
        if lacking:
            return np.full((len(table), 2), np.nan)
        return np.asarray(table[list(pair)].to_numpy(np.float64))
    # Here, since scikit-learn takes seconds.
    from latentlaw.evaluation.projection import METHODS, Method, project_latents

    methods: dict[str, Method] = {name: name for name in METHODS}
    return project_latents(latent_means(table), methods[projection])
