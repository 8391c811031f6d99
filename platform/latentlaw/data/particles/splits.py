"""Splits by group: no tomogram, and no copy of a cell, lands on two sides."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from latentlaw.errors import ConfigError, DataError, nearest_hint

TRAIN, VAL, TEST, HELD_OUT = "train", "val", "test", "held_out"
FOLDS = 5


def split_particles(
    table: pd.DataFrame,
    *,
    seed: int,
    hold_out: tuple[str, ...] = (),
    fold: int | None = None,
) -> NDArray[np.str_]:
    """Assign each particle to `train`, `val`, `test` or `held_out`.

    A fifth of the groups, balanced over classes, is `test`; a fifth of the rest is `val`. Where
    too few groups are left for that (one of two tomograms, or a class that lies in one group
    only), `val` is drawn particle by particle; `test` never shares a group with training. Classes
    in `hold_out` are never trained on. Unlabelled particles count as a class.

    Parameters
    ----------
    table
        Particle table with `label` and `group`.
    seed
        Of how groups are cut into folds.
    hold_out
        Classes that are never trained on.
    fold
        Which of the `FOLDS` parts that a seed cuts the groups into is `test`, for
        cross-validation; None: one that costs the fewest classes.

    Returns
    -------
    ndarray
        One name per row, `(n,)`.

    Raises
    ------
    DataError
        If there are fewer than two groups, a class to hold out does not occur, or there are too
        few particles of a class, or of all, to be on both sides.
    ConfigError
        If there is no such fold.
    """
    labels = table["label"].fillna("").to_numpy(dtype=str)
    groups = table["group"].to_numpy(dtype=str)
    classes = sorted(set(labels.tolist()))
    if unknown := sorted(set(hold_out) - set(classes)):
        raise DataError(
            f"hold_out: found {unknown}, expected some of the classes {classes}"
            f"{nearest_hint(unknown[0], classes)}"
        )
    split = np.full(len(table), TRAIN, dtype="<U8")
    split[np.isin(labels, hold_out)] = HELD_OUT
    known = np.flatnonzero(split == TRAIN)
    if len(set(groups[known])) < 2:
        raise DataError(
            f"split: found {len(known)} particles in {len(set(groups[known]))} group, expected at "
            "least two groups (tomograms or source images), for train and test; give more"
        )
    counts = class_counts(labels[known])
    if single := [name for name, n in counts.items() if n < 2 and name in labels]:
        name = single[0]
        raise DataError(
            f"split: found 1 particle of class {name!r} ({listed(counts)}), expected one each for "
            f"training and test; leave it out, or keep it from training by hold_out={name}"
        )
    parts = _cut(labels[known], groups[known], seed)
    if fold is None:
        test = _best_fold(labels[known], parts)
    elif 0 <= fold < len(parts):
        test = parts[fold]
    else:
        raise ConfigError(f"fold: found {fold}, expected 0 to {len(parts) - 1}")
    split[known[test]] = TEST
    rest = np.flatnonzero(split == TRAIN)
    left = class_counts(labels[rest])
    if max(left.values(), default=0) < 2:
        raise DataError(
            f"split: found {len(known)} particles ({listed(counts)}), of which {len(rest)} beside "
            f"test ({listed(left)}), expected enough to hold some out for validation; give more"
        )
    split[rest[validation_fold(labels[rest], groups[rest], seed)]] = VAL
    return split


def class_counts(labels: NDArray[np.str_]) -> dict[str, int]:
    """Count the particles of each class in `labels` `(n,)`, and those without a label."""
    names, counts = np.unique(labels, return_counts=True)
    return {
        name or "unlabelled": n for name, n in zip(names.tolist(), counts.tolist(), strict=True)
    }


def listed(counts: dict[str, int]) -> str:
    """Write counts into a message."""
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def validation_fold(labels: NDArray[np.str_], groups: NDArray[np.str_], seed: int) -> NDArray[Any]:
    """Choose a part: whole groups, or particles where groups would cost a side one of its classes.

    Parameters
    ----------
    labels, groups
        Class names, and what a split keeps together, `(n,)`.
    seed
        Of how they are cut.

    Returns
    -------
    NDArray
        Indices `(k,)` of the particles of the part.
    """
    if len(set(groups)) >= 3:
        chosen = _best_fold(labels, _cut(labels, groups, seed))
        if not _missing(labels, np.delete(labels, chosen)) + _missing(labels, labels[chosen]):
            return chosen
    single = np.arange(len(labels)).astype(str)
    return _best_fold(labels, _cut(labels, single, seed))


def _cut(labels: NDArray[np.str_], groups: NDArray[np.str_], seed: int) -> list[NDArray[Any]]:
    """Return the indices of each fold of whole groups, balanced over classes."""
    largest_class = int(np.unique(labels, return_counts=True)[1].max())
    folds = max(2, min(FOLDS, len(set(groups)), largest_class))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    parts = splitter.split(np.zeros(len(labels)), labels, groups)
    return [np.asarray(part) for _, part in parts if len(part)]


def _best_fold(labels: NDArray[np.str_], parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the fold that costs the fewest classes.

    A class that training loses weighs before one that the fold itself lacks.
    """
    return min(
        parts,
        key=lambda chosen: (
            _missing(labels, np.delete(labels, chosen)),
            _missing(labels, labels[chosen]),
        ),
    )


def _missing(labels: NDArray[np.str_], part: NDArray[np.str_]) -> int:
    """Count the classes of `labels` that do not occur in `part`."""
    return len(set(labels) - set(part))
