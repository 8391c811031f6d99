"""Simulated tomograms like those of the SHREC 2021 challenge."""

from pipelines import affinity, extract, ingest, simulate
from pipelines.presets.preset import Order, Preset

#: The challenge's proteins; its fiducials and membranes are left out.
CLASSES = (
    "1bxn", "1qvr", "1s3x", "1u6g", "2cg9", "3cf3", "3d2f", "3gl1", "3h84", "3qm1", "4cr2", "4v94",
    "5mrc",
)  # fmt: skip
#: None has a twin among the others, as 1s3x and 3qm1 are (affinity 0.95): a twin is not novel.
UNSEEN = ("1qvr", "3d2f", "4v94")
_SIZES = {
    "small": {"tomograms": 6, "particles": 400, "shape": (160, 320, 320)},
    "full": {"tomograms": 10, "particles": 1200, "shape": (200, 512, 512)},
}
#: Chosen on held-out tomograms of another draw (seed 100).
TRAINING = {
    "depth": 5,
    "norm": "batch",
    "smoothing": 1.0,
    "learning_rate": 3e-3,
    "gamma": 4.0,
}
_CHANNELS = {"small": 8, "full": 16}
_EPOCHS = {"small": 40, "full": 60}


def make(order: Order) -> Preset:
    """Simulate, ingest, extract and compare thirteen proteins, three of them unseen.

    SNR 0.1, tilts to 60 degrees, 10 angstrom per voxel, boxes of 32. Test tomograms are never
    trained on.
    """
    made, stores = order.out / "simulated", order.out / "tomograms"
    stack, prior = order.out / "shrec.particles.zarr", order.out / "affinity.csv"
    order.step(
        simulate.Simulate,
        simulate.run,
        templates=order.source,
        classes=CLASSES,
        snr=0.1,
        tilt_range=60.0,
        voxel_size=10.0,
        out=made,
        **_SIZES[order.size],
    )
    order.step(ingest.Ingest, ingest.run, source=made / "tomograms", out=stores)
    order.step(
        extract.Extract,
        extract.run,
        tomograms=stores,
        coordinates=made / "particles.star",
        box=32,
        edge="pad",
        out=stack,
    )
    order.step(
        affinity.Affinity,
        affinity.run,
        templates=made / "templates",
        method="correlation",
        out=prior,
    )
    training = {
        **TRAINING,
        "channels": _CHANNELS[order.size],
        "epochs": _EPOCHS[order.size],
        "hold_out": UNSEEN,
    }
    models = ("affinity-vae", "beta-vae", "cnn")
    return Preset(str(stack), str(prior), training, models=models)
