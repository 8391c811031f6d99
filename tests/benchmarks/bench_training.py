"""The affinity term and a training step, against both written the obvious way; logging."""

import itertools
import shutil
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.losses.affinity import affinity_loss
from latentlaw.models.config import ModelConfig
from latentlaw.models.layers import UpConv3d
from latentlaw.models.vae import AutoEncoder
from latentlaw.tracking.names import LOSS_TERMS
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.training.batches import augmented
from latentlaw.training.config import TrainConfig
from latentlaw.training.objective import LossWeights, loss_terms
from latentlaw.training.state import TrainState
from latentlaw.training.step import take_step
from torch import Tensor, nn

from tests.benchmarks.ratio import Ratio, interleaved_seconds

PARTICLES, BATCH, ITEM = 256, 64, (1, 24, 24, 24)  # no epoch is shorter
ROUNDS = 15
CONFIG = TrainConfig(batch_size=BATCH, samples_per_epoch=PARTICLES, augmentation="none", gamma=1)
WEIGHTS = LossWeights(1e-3, 1.0, 0.0)
METRICS = [
    *(f"{split}/{term}" for split in ("train", "val") for term in LOSS_TERMS),
    "throughput/images_per_s",
]


def measure() -> list[Ratio]:
    """Return the ratios of the term and of a step, and the share of a step spent waiting."""
    folder = Path(tempfile.mkdtemp(prefix="latentlaw-training-"))
    try:
        return [_affinity(), *_steps(folder)]
    finally:
        shutil.rmtree(folder)


def pair_list_loss(mu: Tensor, labels: Tensor, affinity: Tensor) -> Tensor:
    """The same term over a list of pairs."""
    pairs = torch.tensor(list(itertools.combinations(range(len(mu)), 2)))
    left, right = pairs[:, 0], pairs[:, 1]
    cosines = torch.nn.functional.cosine_similarity(mu[left], mu[right])
    return (cosines - affinity[labels[left], labels[right]]).abs().mean()


def of_stock_layers(model: AutoEncoder) -> AutoEncoder:
    """Return the model with PyTorch's own transposed convolutions, as one would write it."""
    for name, layer in list(model.decoder.named_modules()):
        if isinstance(layer, UpConv3d):
            stock = nn.ConvTranspose3d(layer.in_channels, layer.out_channels, 2, stride=2)
            stock.load_state_dict(layer.state_dict())
            model.decoder.set_submodule(name, stock)
    return model


def _affinity() -> Ratio:
    mu = torch.randn(256, 16, requires_grad=True)
    labels, affinity = torch.randint(0, 9, (256,)), torch.eye(9)
    ours, theirs = interleaved_seconds(
        lambda: affinity_loss(mu, labels, affinity).backward(),
        lambda: pair_list_loss(mu, labels, affinity).backward(),
        rounds=9,
    )
    return Ratio("affinity term, batch 256", "list of pairs", 1 / ours, 1 / theirs, "1/s", 3.0)


def _steps(folder: Path) -> list[Ratio]:
    images = np.random.default_rng(0).standard_normal((PARTICLES, *ITEM), np.float32)
    with new_stack(folder / "s.particles.zarr", item_shape=ITEM) as writer:
        writer.append(images, pd.DataFrame(index=range(PARTICLES)))
    for i, image in enumerate(images):
        np.save(folder / f"{i}.npy", image)
    labels, affinity = torch.arange(PARTICLES) % 9, torch.eye(9)
    source = open_stack(folder / "s.particles.zarr").images
    particles = Particles(source, np.arange(PARTICLES), labels)
    config = ModelConfig(family="affinity-vae", image_shape=ITEM, pose_dims=3, depth=3)
    model, twin = AutoEncoder(config), of_stock_layers(AutoEncoder(config))
    state = TrainState.begin(model, particles, CONFIG)
    generator = torch.Generator().manual_seed(0)
    waited, told = [], []

    def ours() -> None:
        stall, last, start = 0.0, time.perf_counter(), time.perf_counter()
        for batch in augmented(
            state.batches, config.normalisation, CONFIG, torch.device("cpu"), generator
        ):
            stall += time.perf_counter() - last
            take_step(
                state,
                batch,
                lambda b: loss_terms(
                    model, b, WEIGHTS, affinity, dataset_size=PARTICLES, generator=generator
                ),
                max_skipped=0,
            )
            last = time.perf_counter()
        end = time.perf_counter()
        waited.append(stall / (end - start))
        log(len(told), dict.fromkeys(METRICS, 0.5))
        told.append((time.perf_counter() - end, end - start))

    optimiser = torch.optim.AdamW(twin.parameters(), lr=1e-3, weight_decay=1e-4)

    def plain() -> None:
        order = torch.randperm(PARTICLES)
        for places in order.split(BATCH):
            read = [torch.from_numpy(np.load(folder / f"{i}.npy")) for i in places]
            batch = torch.stack([(x - x.mean()) / x.std() for x in read])
            encoding = twin.encode(batch)
            noise = torch.randn_like(encoding.mu)
            output = twin.decode(encoding.mu + (encoding.logvar / 2).exp() * noise, encoding.pose)
            kl = 1 + encoding.logvar - encoding.mu**2 - encoding.logvar.exp()
            loss = torch.nn.functional.mse_loss(output, batch) - 5e-4 * kl.sum(1).mean()
            loss = loss + pair_list_loss(encoding.mu, labels[places], affinity)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    with EpochLogger(_new_run(folder)) as log:
        seconds, plain_seconds = interleaved_seconds(ours, plain, rounds=ROUNDS)
    rate, plain_rate = PARTICLES / seconds, PARTICLES / plain_seconds
    share = 100 * float(np.median(waited))
    logging, training = map(sum, zip(*told, strict=True))
    return [
        Ratio("training step, 64 x 24^3", "plain loop", rate, plain_rate, "images/s", 1.2),
        Ratio("loader and normalisation", "a step", share, 100.0, "%", 5.0, at_most=True),
        Ratio(
            f"logging, of {len(told)} epochs of {PARTICLES} images",
            "training them",
            100 * logging / training,
            100.0,
            "%",
            1.0,
            at_most=True,
        ),
    ]


def _new_run(folder: Path) -> str:
    """Make a run in an SQLite store of its own, as training has one by default."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    return str(mlflow.MlflowClient().create_run("0").info.run_id)
