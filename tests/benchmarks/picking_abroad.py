"""Picking in the tomogram of another simulator, `DATA/tomograms/shrec_like`.

`python -m tests.benchmarks.picking_abroad OUT [DATA]` trains as `crossing` does, on our own
tomograms of the same 14 classes, and picks in one of them and in that one, whose protein is dark.
Where a peer leaves a choice open, it is the best on our own; ours is by its defaults. One thread.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.names import tomograms_by_name
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.recording.runs import configure_tracking

from tests.benchmarks.crossing import VARIANTS, Crossing
from tests.benchmarks.picking import SIZE_A, Comparison, ours, read_maps, timed

LEARNT = next(variant for variant in VARIANTS if "less noise" in variant.name)


def main(out: Path, data: Path) -> None:
    """Print a table of methods."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{out.resolve()}/mlflow.db")
    configure_tracking()
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
    print(methods.head())
    picks, seconds = timed(
        lambda name: ours(bundle, stores[name], contrasts[name]), {n: n for n in stores}
    )
    methods.tell("ours", picks, seconds, cut=False)
    volumes = {
        name: store.read((slice(None),) * 3).astype(np.float32)
        * (-1 if contrasts[name] == "dark" else 1)
        for name, store in stores.items()
    }
    methods.tell_peers(volumes, read_maps(own.parent / "simulated" / "templates"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    main(**vars(parser.parse_args()))
