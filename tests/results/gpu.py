"""Measurement of training on a GPU, beside a loop that does nothing but step."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.models.config import Family, ModelConfig, deepest, default_pose_dims
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.config import TrainConfig
from latentlaw.training.loop import fit
from torch import Tensor

from tests.results.records import Row
from tests.results.scratch import AbsentError, Scratch

#: Family, box, particles and batch.
CASES: tuple[tuple[Family, tuple[int, ...], int, int], ...] = (
    ("affinity-vae", (1, 32, 32, 32), 4096, 128),
    ("affinity-vae", (1, 64, 64, 64), 1024, 64),
    ("tc-vae", (1, 64, 64), 8192, 256),
)
#: How `fit` trains, by what it is called.
WAYS = {
    "fp32": {"precision": "fp32"},
    "bf16": {"precision": "bf16"},
    "bf16, not augmented": {"precision": "bf16", "augmentation": "none"},
    "bf16, compiled": {"precision": "bf16", "compile": True},
}


def rates(_scratch: Scratch) -> Iterator[Row]:
    """Train on noise, where only the speed means anything."""
    if not torch.cuda.is_available():
        raise AbsentError("a GPU is absent")
    for family, shape, particles, batch in CASES:
        name = f"{family}, {' x '.join(map(str, shape[1:]))}, batch {batch}"
        images = np.random.default_rng(0).standard_normal((particles, *shape), np.float32)
        for way, options in WAYS.items():
            size = {"epochs": 6, "batch_size": batch, "samples_per_epoch": particles}
            told = TrainConfig.model_validate(size | options)
            rate = best_rate(new_model(family, shape), images, told)
            yield Row(name, rate, column=way, table="images/s")
        rate = plain_rate(new_model(family, shape), torch.from_numpy(images), batch)
        yield Row(name, rate, column="plain loop, bf16", table="images/s")


def new_model(family: Family, shape: tuple[int, ...]) -> AutoEncoder:
    """Return the network that `train` makes by default, on the GPU."""
    config = ModelConfig(
        family=family,
        image_shape=shape,
        pose_dims=default_pose_dims(len(shape) - 1, "conv", family),
        depth=deepest(shape[1:]),
    )
    return AutoEncoder(config).cuda()


def best_rate(model: AutoEncoder, images: np.ndarray, config: TrainConfig) -> float:
    """Return the images/s of the quickest epoch, from images in memory of seven classes."""
    labels, told = torch.arange(len(images)) % 7, []
    source, places = ArrayImages(images), np.arange(len(images))
    fit(
        model,
        Particles(source, places, labels),
        Particles(source, places[:64], labels[:64]),
        config,
        affinity=torch.eye(7).cuda() if model.config.family == "affinity-vae" else None,
        on_epoch=lambda _, metrics: told.append(metrics["throughput/images_per_s"]),
    )
    return max(told)


def plain_rate(model: AutoEncoder, images: Tensor, batch: int) -> float:
    """Return the images/s of a loop without augmentation, checks or the affinity term.

    All images are on the GPU beforehand, so that nothing is read or moved.
    """
    images = images.cuda()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    start = 0.0
    for epoch in range(4):
        if epoch == 1:  # kernels were chosen in the first
            torch.cuda.synchronize()
            start = time.perf_counter()
        for places in torch.randperm(len(images), device="cuda").split(batch):
            with torch.autocast("cuda", torch.bfloat16):
                encoding = model.encode(images[places])
                noise = torch.randn_like(encoding.mu)
                z = encoding.mu + (encoding.logvar / 2).exp() * noise
                output = model.decode(z, encoding.pose)
            kl = 1 + encoding.logvar - encoding.mu**2 - encoding.logvar.exp()
            loss = torch.nn.functional.mse_loss(output.float(), images[places])
            optimiser.zero_grad()
            (loss - 5e-4 * kl.sum(1).mean()).backward()
            optimiser.step()
    torch.cuda.synchronize()
    return 3 * len(images) / (time.perf_counter() - start)
