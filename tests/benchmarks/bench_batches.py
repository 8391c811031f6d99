"""Shuffled batches of a stack on disk, against rows of an array that is all in memory."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.shuffling import ShuffledBatches
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack

from tests.benchmarks.ratio import Ratio, interleaved_seconds

PARTICLES, ITEM, BATCH = 8000, (1, 32, 32, 32), 128


def measure() -> list[Ratio]:
    """Images a second, page cache warm, of a stack of two windows of chunks and all rows."""
    images = np.random.default_rng(0).standard_normal((PARTICLES, *ITEM), np.float32)
    folder = Path(tempfile.mkdtemp(prefix="latentlaw-batches-"))
    try:
        path = folder / "s.particles.zarr"
        with new_stack(path, item_shape=ITEM) as writer:
            writer.append(images, pd.DataFrame(index=range(PARTICLES)))
        stack = open_stack(path)
        particles = Particles.unlabelled(stack.images, np.arange(PARTICLES))
        batches = ShuffledBatches(particles, batch_size=BATCH, seed=0)
        generator = np.random.default_rng(0)

        def ours() -> None:
            for batch in batches:
                assert batch.images.shape[1:] == ITEM

        def slicing() -> None:
            order = generator.permutation(PARTICLES)
            for start in range(0, PARTICLES, BATCH):
                # Kept until the next one is there, as a loop over a loader keeps it.
                batch = torch.from_numpy(images[order[start : start + BATCH]])
                assert batch.shape[1:] == ITEM

        ours()  # the first epoch maps chunks and looks at their checksums
        seconds, slice_seconds = interleaved_seconds(ours, slicing, rounds=9)
    finally:
        shutil.rmtree(folder)
    return [
        Ratio(
            "shuffled batches, 128 x 32^3",
            "rows of an array in memory",
            PARTICLES / seconds,
            PARTICLES / slice_seconds,
            "images/s",
            0.5,
        )
    ]
