"""Plain image features in the place of latents: what can be told without a latent space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from latentlaw.discovery.latents import LatentData, LatentSplit
from latentlaw.errors import DataError
from latentlaw.evaluation.meanings.image_features import feature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def feature_data(data: LatentData, tables: Sequence[pd.DataFrame]) -> LatentData:
    """Return `data` with image features for latents, named `f0`, `f1`, ….

    Nuisances (where the object lies in the box) are left out. A feature that an image does not
    have is the median of the training images'.

    Parameters
    ----------
    data
        Of the particles that were measured; its labels and class names are kept.
    tables
        Of `image_features`, for the particles of the training, validation and test splits.

    Raises
    ------
    DataError
        If a table has other rows than its split, or no feature is known of any training image.
    """
    splits = (data.train, data.val, data.test)
    for table, split in zip(tables, splits, strict=True):
        if len(table) != len(split):
            raise DataError(
                f"image features: found {len(table)} rows for {len(split)} particles; measure the "
                "same images"
            )
    usual = {str(name): float(value) for name, value in tables[0].median().items()}
    known = {c: v for c, v in usual.items() if not feature_of(c).nuisance and np.isfinite(v)}
    if not known:
        raise DataError(
            "image features: found no training image with an object; leave the features out"
        )
    train, val, test = (
        LatentSplit(table[[*known]].fillna(known).to_numpy(dtype=np.float32), split.labels)
        for table, split in zip(tables, splits, strict=True)
    )
    names = tuple(f"f{i}" for i in range(len(known)))
    return replace(data, train=train, val=val, test=test, latent_names=names)
