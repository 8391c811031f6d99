"""The reference's own images of letters and digits, 5 and x unseen."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from latentlaw.errors import DataError

from pipelines.presets.preset import Order, Preset

UNSEEN = ("5", "x")


def make(order: Order) -> Preset:
    """Collect the letters and digits of the reference's `classes.csv`, with 5 and x unseen.

    The images of a symbol are turned copies of one glyph, and the split is by image, as the
    reference's is: it tests turns that were not seen, not glyphs that were not.
    """
    folder = order.source
    if not (folder / "classes.csv").is_file():
        raise DataError(
            f"data: found no {folder / 'classes.csv'}, expected the folder of the reference's "
            "images, SYMBOL_….npy with classes.csv and affinity_an.csv"
        )
    wanted = {name.strip() for name in (folder / "classes.csv").read_text().split(",")}
    stack = collect_symbols(order, "alphanumeric", wanted.union(UNSEEN))
    training = {"channels": 8, "depth": 4, "beta": 0.01, "gamma": 2.0, "hold_out": UNSEEN}
    return Preset(str(stack), str(folder / "affinity_an.csv"), training)


def collect_symbols(order: Order, name: str, symbols: Collection[str]) -> Path:
    """Collect the images `SYMBOL_….npy` of some symbols into a stack.

    Raises
    ------
    DataError
        If there is none.
    """
    labelled = {path: path.name.split("_")[0] for path in sorted(order.source.glob("*_*.npy"))}
    files = [path for path, symbol in labelled.items() if symbol in symbols]
    if not files:
        raise DataError(
            f"data: found no image SYMBOL_….npy of {', '.join(sorted(symbols))} in {order.source}"
        )
    images = np.stack([np.load(path, allow_pickle=False) for path in files])
    return order.collect(name, images, [labelled[path] for path in files])
