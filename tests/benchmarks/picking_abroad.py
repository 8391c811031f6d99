"""Picking in the tomogram of another simulator, `tomograms/shrec_like`.

`python -m tests.results picking_abroad` trains as `crossing` does, on our own
tomograms of the same 14 classes, and picks in one of them and in that one, whose protein is dark.
Where a peer leaves a choice open, it is the best on our own; ours is by its defaults.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.names import tomograms_by_name
from latentlaw.serving.log import load_logged_bundle

from tests.benchmarks.crossing import VARIANTS, Crossing
from tests.benchmarks.picking import SIZE_A, Comparison, ours, read_maps, timed
from tests.results.records import Row

LEARNT = next(variant for variant in VARIANTS if "less noise" in variant.name)


def measure(data: Path, out: Path) -> Iterator[Row]:
    """Yield rows of each method, given the folders of real inputs and for what is made."""
    torch.set_num_threads(1)
    crossing = Crossing(data, out, SIZE_A)
    foreign = crossing.cut_foreign("dark")
    model, own = crossing.trained(LEARNT)
    bundle = load_logged_bundle(model)
    stores, truth, contrasts = {}, {}, {}
    for stack, contrast in ((own, "bright"), (foreign, "dark")):
        name, store = min(tomograms_by_name(stack.with_suffix(".stores")).items())
        table = open_stack(stack).table
        stores[name], contrasts[name] = store, contrast
        truth[name] = table[table["tomogram"] == name]
    seen, other = stores
    methods = Comparison(stores, truth, seen, other)
    picks, seconds = timed(
        lambda name: ours(bundle, stores[name], contrasts[name]), {n: n for n in stores}
    )
    yield from methods.rows("ours", picks, seconds, cut=False)
    volumes = {
        name: store.read((slice(None),) * 3).astype(np.float32)
        * (-1 if contrasts[name] == "dark" else 1)
        for name, store in stores.items()
    }
    yield from methods.of_peers(volumes, read_maps(own.parent / "simulated" / "templates"))
