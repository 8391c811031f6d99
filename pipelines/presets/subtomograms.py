"""The reference's own subtomograms, whose affinity no latent can meet."""

import numpy as np
from latentlaw.data.collection.listing import list_images
from latentlaw.data.tomograms.pyramid import mean_by_two

from pipelines.presets.preset import Order, Preset


def make(order: Order) -> Preset:
    """Collect thirty clean subtomograms of six classes, to train on the given table and its mend.

    Boxes of 64 are halved by local mean. Five turned copies of one map are a class, so a test
    particle is a turn that was not seen, and not a molecule.
    """
    listing = list_images(order.source)
    volumes = [listing.read(i)[0][0] for i in range(len(listing.rows))]
    stack = order.collect(
        "subtomograms",
        np.stack([mean_by_two(volume) for volume in volumes]),
        listing.rows["label"].tolist(),
    )
    # Few particles make short epochs: small batches, so that they hold steps enough.
    training = {
        "channels": 8,
        "depth": 5,
        "batch_size": 16,
        "learning_rate": 2e-3,
        "gamma": 4.0,
        "epochs": 60,
    }
    return Preset(
        str(stack),
        str(order.source / "affinity_fsc.csv"),
        training,
        models=("affinity-vae", "raw-prior"),
    )
