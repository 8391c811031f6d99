"""Comparisons whose data and settings are fixed, so that anyone can make them again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from latentlaw.data.collect import collect
from latentlaw.errors import DataError


@dataclass(frozen=True)
class Preset:
    """A particle stack, its prior, and parameters of training that differ from the defaults."""

    data: str
    affinity: str
    training: dict[str, Any]


def alphanumeric(source: str, out: str, *, overwrite: bool) -> Preset:
    """Collect the letters and digits of the reference's `classes.csv`, with 5 and x unseen.

    The images of a symbol are turned copies of one glyph, and the split is by image, as the
    reference's is: it tests turns that were not seen, not glyphs that were not.
    """
    folder = Path(source)
    if not (folder / "classes.csv").is_file():
        raise DataError(
            f"data: {folder / 'classes.csv'} does not exist; preset=alphanumeric takes the folder "
            "of the reference's images, SYMBOL_….npy with classes.csv and affinity_an.csv"
        )
    unseen = ("5", "x")
    wanted = {name.strip() for name in (folder / "classes.csv").read_text().split(",")}
    files = [
        path
        for path in sorted(folder.glob("*.npy"))
        if path.name.split("_")[0] in wanted.union(unseen)
    ]
    if not files:
        raise DataError(f"data: {folder} holds no image SYMBOL_….npy of {sorted(wanted)}")
    stack = Path(out) / "alphanumeric.particles.zarr"
    with TemporaryDirectory() as scratch:
        archive = Path(scratch) / "alphanumeric.npz"
        np.savez(
            archive,
            images=np.stack([np.load(path, allow_pickle=False) for path in files]),
            labels=np.array([path.name.split("_")[0] for path in files]),
        )
        collect(archive, stack, overwrite=overwrite)
    training = {"channels": 8, "beta": 0.01, "gamma": 2.0, "hold_out": unseen}
    return Preset(str(stack), str(folder / "affinity_an.csv"), training)


PRESETS: dict[str, Callable[..., Preset]] = {"alphanumeric": alphanumeric}
