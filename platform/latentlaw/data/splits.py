"""Splits by group: no tomogram, and no copy of a cell, lands on two sides."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from latentlaw.errors import DataError

TRAIN, VAL, TEST, HELD_OUT = "train", "val", "test", "held_out"


def split_particles(
    table: pd.DataFrame, *, seed: int, hold_out: tuple[str, ...] = (), folds: int = 5
) -> NDArray[np.str_]:
    """Assign each particle to `train`, `val`, `test` or `held_out`.

    A fifth of the groups, balanced over classes, is `test`; a fifth of the rest is `val`. With
    only two groups (two tomograms) one is `test`, and `val` is drawn from the particles of the
    other. Classes in `hold_out` are never trained on. Unlabelled particles count as a class.

    Parameters
    ----------
    table
        Particle table with `label` and `group`.

    Returns
    -------
    ndarray
        One name a row, `(n,)`.

    Raises
    ------
    DataError
        If there are fewer than two groups, or a class to hold out does not occur.
    """
    labels = table["label"].fillna("").to_numpy(dtype=str)
    groups = table["group"].to_numpy(dtype=str)
    unknown = set(hold_out) - set(labels)
    if unknown:
        raise DataError(f"hold_out: {sorted(unknown)} not among the classes {sorted(set(labels))}")
    split = np.full(len(table), TRAIN, dtype="<U8")
    split[np.isin(labels, hold_out)] = HELD_OUT
    known = np.flatnonzero(split == TRAIN)
    if len(set(groups[known])) < 2:
        raise DataError(
            f"split: {len(known)} particles in {len(set(groups[known]))} group; train and test "
            "need at least two groups (tomograms or source images)"
        )
    test = known[_one_fold(labels[known], groups[known], folds, seed)]
    split[test] = TEST
    rest = np.flatnonzero(split == TRAIN)
    enough_groups = len(set(groups[rest])) >= 3
    rest_groups = groups[rest] if enough_groups else rest.astype(str)
    if len(rest) >= 2:
        split[rest[_one_fold(labels[rest], rest_groups, folds, seed)]] = VAL
    return split


def _one_fold(
    labels: NDArray[np.str_], groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[Any]:
    """Return the indices of one balanced fold of whole groups."""
    largest_class = int(np.unique(labels, return_counts=True)[1].max())
    folds = max(2, min(folds, len(set(groups)), largest_class))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, chosen = next(splitter.split(np.zeros(len(labels)), labels, groups))
    return np.asarray(chosen)
