"""Batch prediction against the bare forward pass over an array that is in memory.

Both have all cores: the loop as torch shares a layer out, prediction with a part a worker.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.prediction.predict import predict_particles, predict_stack
from latentlaw.serving.prediction.work import Settings

from tests.benchmarks.ratio import Ratio, interleaved_seconds

BOX, PARTICLES, SHAPE, SIZE_A, BATCHES = 32, 8192, (192, 384, 384), 10.0, (32, 128)


def measure() -> list[Ratio]:
    """Return particles a second, from stack or tomogram to Parquet and STAR, and of the loop."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> list[Ratio]:
    generator = np.random.default_rng(0)
    images = generator.standard_normal((PARTICLES, 1, BOX, BOX, BOX), np.float32)
    table = pd.DataFrame(
        generator.uniform(BOX, np.array(SHAPE) - BOX, (PARTICLES, 3)) * SIZE_A, columns=list("zyx")
    ).assign(tomogram="t")
    with new_stack(folder / "s.particles.zarr", item_shape=images.shape[1:]) as writer:
        writer.append(images, table)
    write_mrc(folder / "t.mrc", generator.standard_normal(SHAPE, np.float32), SIZE_A)
    ingest_tomograms(folder / "t.mrc", folder, levels=1, scheduler="threads")
    table.to_csv(folder / "p.csv", index=False)
    bundle, settings = _bundle(), Settings(overwrite=True)

    def stack() -> None:
        predict_stack(bundle, folder / "s.particles.zarr", folder / "a", settings)

    def tomogram() -> None:
        predict_particles(bundle, folder, folder / "p.csv", folder / "b", settings)

    def bare(size: int) -> None:
        with torch.inference_mode():
            for start in range(0, PARTICLES, size):
                batch = torch.from_numpy(images[start : start + size])
                bundle.model.infer(bundle.model.config.normalisation(batch))

    loops = [partial(bare, size) for size in BATCHES]
    seconds = interleaved_seconds(stack, tomogram, *loops, rounds=5)
    ours, cut, *bares = (PARTICLES / each for each in seconds)
    what = f"{PARTICLES} particles of {BOX}^3"
    of_stack = [
        Ratio(
            f"predict, {what} of a stack", f"forward pass, {size} at once", ours, loop, "1/s", 0.9
        )
        for size, loop in zip(BATCHES, bares, strict=True)
    ]
    peer = f"forward pass, {BATCHES[0]} at once"
    return [*of_stack, Ratio(f"predict, {what} of a tomogram", peer, cut, bares[0], "1/s", 0.4)]


def _bundle() -> Bundle:
    """Return an untrained model of the demo's kind."""
    shape = (1, BOX, BOX, BOX)
    config = ModelConfig(family="affinity-vae", image_shape=shape, pose_dims=3, depth=5)
    mu = np.random.default_rng(0).normal(size=(60, config.latent_dims))
    return Bundle(AutoEncoder(config).eval(), fit_head(mu, np.repeat(list("abcdef"), 10), mu))
