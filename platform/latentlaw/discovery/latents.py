"""Latent means of three splits, checked once so that every later step can trust them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from latentlaw.errors import DataError
from latentlaw.losses.balance import balanced_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1e30
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class LatentSplit:
    """Latent means `latents` `(n, d)` float32 and class indices `labels` `(n,)` int64.

    Particles of the same number in `groups` `(n,)` int64 (copies of a cell, say) are kept together
    by cross-validation; None: each stands for itself.
    """

    latents: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> LatentSplit:
        """Return the particles at `rows` `(k,)`."""
        groups = None if self.groups is None else self.groups[rows]
        return LatentSplit(self.latents[rows], self.labels[rows], groups)


@dataclass(frozen=True)
class LatentData:
    """Three splits of one latent space, with the names of its classes and latents."""

    train: LatentSplit
    val: LatentSplit
    test: LatentSplit
    class_names: tuple[str, ...]
    latent_names: tuple[str, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @cached_property
    def class_weights(self) -> NDArray[np.float64]:
        """The weight of each class in every loss, `(K,)`: alike, by their numbers in training."""
        labels = torch.as_tensor(self.train.labels)
        return balanced_weights(labels, self.classes).double().numpy()

    @property
    def dims(self) -> int:
        """Number of latents."""
        return len(self.latent_names)


@dataclass(frozen=True)
class LatentScaling:
    """`(z - shift) / scale` per latent, learned on the training split; both `(d,)`.

    `kept` are the indices of latents that vary; the others carry no information and are dropped.
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    kept: NDArray[np.int64]

    def apply(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the scaled kept latents `(n, kept)` of `latents` `(n, d)`."""
        wide = np.asarray(latents, dtype=np.float64)[:, self.kept]
        scaled: NDArray[np.float64] = (wide - self.shift[self.kept]) / self.scale[self.kept]
        return scaled


def check_latents(data: LatentData) -> tuple[LatentScaling, tuple[str, ...]]:
    """Check `data` and learn its standardisation.

    Returns
    -------
    scaling
        Mean and standard deviation of each latent on the training split.
    dropped
        Names of latents that are constant on the training split.

    Raises
    ------
    DataError
        If shapes disagree, a latent is not finite, a label is out of range, training has fewer
        than two classes, a named class has no training particle, or all latents are constant.
    """
    _check_names(data)
    for name, split in (("train", data.train), ("val", data.val), ("test", data.test)):
        _check_split(name, split, data)
    counts = np.bincount(data.train.labels, minlength=data.classes)
    if (counts > 0).sum() < 2:
        raise DataError(
            f"latents: found {int((counts > 0).sum())} class in the training split, expected two "
            "or more; give data with more classes or split it anew"
        )
    if (counts == 0).any():
        missing = [data.class_names[k] for k in np.flatnonzero(counts == 0)]
        raise DataError(
            f"latents: found no training particle of class {', '.join(map(repr, missing))}; "
            "add particles, merge the class with another, or leave it out"
        )
    return _learn_scaling(data)


def search_scaling(scaling: LatentScaling) -> LatentScaling:
    """Return the scaling used by the symbolic search: none where latents are of order one.

    An expression is shortest in the latents themselves, so `z` is left as it is when its training
    standard deviation is in [0.1, 10] and its mean within ten of those. Otherwise it is divided
    by the nearest power of ten, and shifted by its mean to two significant digits.
    """
    power = 10.0 ** np.round(np.log10(scaling.scale))
    ordinary = (scaling.scale >= 0.1) & (scaling.scale <= 10)
    far = np.abs(scaling.shift) > 10 * scaling.scale
    unit = 10.0 ** (np.floor(np.log10(scaling.scale)) - 1)
    shift = np.where(far, np.round(scaling.shift / unit) * unit, 0.0)
    return LatentScaling(shift, np.where(ordinary, 1.0, power), scaling.kept)


def _learn_scaling(data: LatentData) -> tuple[LatentScaling, tuple[str, ...]]:
    wide = data.train.latents.astype(np.float64)
    mean, spread = wide.mean(0), wide.std(0)
    constant = (wide.max(0) == wide.min(0)) | (spread <= 1e-6 * np.abs(mean))
    if constant.all():
        raise DataError(
            "latents: found every one constant on the training split, so nothing to discover; "
            "train the model longer or with a smaller beta"
        )
    scale = np.where(constant, 1.0, spread)
    dropped = tuple(data.latent_names[j] for j in np.flatnonzero(constant))
    return LatentScaling(mean, scale, np.flatnonzero(~constant)), dropped


def _check_names(data: LatentData) -> None:
    if len(set(data.class_names)) != len(data.class_names):
        raise DataError(f"class_names: found {list(data.class_names)}, expected different ones")
    wrong = [name for name in data.latent_names if not IDENTIFIER.fullmatch(name)]
    if wrong or len(set(data.latent_names)) != len(data.latent_names):
        raise DataError(
            f"latent_names: found {wrong or list(data.latent_names)}, expected different "
            "identifiers such as z0"
        )


def _check_split(name: str, split: LatentSplit, data: LatentData) -> None:
    latents, labels = split.latents, split.labels
    if latents.ndim != 2 or latents.shape != (len(labels), data.dims):
        raise DataError(
            f"{name} latents: found shape {latents.shape}, expected ({len(labels)}, {data.dims}): "
            "one row per particle and one column per latent name"
        )
    if len(labels) == 0:
        raise DataError(
            f"{name} latents: found no particle; give more particles or other fractions"
        )
    bad = ~np.isfinite(latents) | (np.abs(latents) > LARGEST)
    if bad.any():
        columns = [data.latent_names[j] for j in np.flatnonzero(bad.any(0))[:5]]
        raise DataError(
            f"{name} latents: found NaN, infinite or overflowing values for "
            f"{int(bad.any(1).sum())} of {len(labels)} particles (in {', '.join(columns)}); check "
            "that training converged"
        )
    if labels.min() < 0 or labels.max() >= data.classes:
        raise DataError(
            f"{name} labels: found {labels.min()} to {labels.max()}, expected 0 to "
            f"{data.classes - 1}; leave unlabelled particles out"
        )
