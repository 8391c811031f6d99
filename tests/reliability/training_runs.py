"""A small network in training, with checkpoints, in this process or one that can be killed."""

import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.checkpoints import checkpoint_folder, read_checkpoint
from latentlaw.training.config import TrainConfig
from latentlaw.training.keeping import Keeper
from latentlaw.training.loop import fit
from latentlaw.training.seeds import seeded_initialisation
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

CONFIG = TrainConfig(
    epochs=4, batch_size=8, samples_per_epoch=40, learning_rate=3e-3, gamma=1.0, beta=1e-3
)


def network(channels: int = 4) -> AutoEncoder:
    """A network with buffers, pose and noise: all that a state may consist of."""
    with seeded_initialisation(0):
        return AutoEncoder(
            ModelConfig(
                family="affinity-vae",
                image_shape=(1, 8, 8),
                pose_dims=2,
                channels=channels,
                depth=1,
                norm="batch",
            )
        )


def particles(n: int, seed: int) -> Particles:
    """Noise in two classes."""
    images = np.random.default_rng(seed).normal(size=(n, 1, 8, 8)).astype(np.float32)
    return Particles(ArrayImages(images), np.arange(n), torch.arange(n) % 2)


def train(
    folder: Path,
    *,
    config: TrainConfig = CONFIG,
    model: AutoEncoder | None = None,
    every_s: float = 0.0,
    change: Callable[[Keeper], None] | None = None,
) -> dict[str, Any]:
    """Train or go on with what `folder` holds; return weights and metrics, apart from speed."""
    model = network() if model is None else model
    log: dict[int, dict[str, float]] = {}
    with checkpoint_folder(folder):
        found = read_checkpoint(folder) if any(folder.iterdir()) else None
        keeper = Keeper(folder, every_s=every_s, found=found)
        if change:
            change(keeper)
        best = fit(
            model,
            particles(40, 0),
            particles(12, 1),
            config,
            affinity=torch.eye(2),
            on_epoch=log.__setitem__,
            keeper=keeper,
        )
    weights = {k: v.numpy().tobytes().hex() for k, v in model.state_dict().items()}
    metrics = [
        {k: v for k, v in log[epoch].items() if not k.startswith("throughput")} for epoch in log
    ]
    return {"best": best, "weights": weights, "metrics": metrics, "epochs": list(log)}


def write_outcome(folder: Path, out: Path) -> None:
    """Train in a process of its own, and write the outcome to `out`."""
    torch.set_num_threads(1)
    out.write_text(json.dumps(train(folder)))


def start(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start `target` in a process forked from a clean one that has the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["latentlaw.training.loop"])
    child = context.Process(target=target, args=arguments)
    child.start()
    return child


def only_run(client: MlflowClient, data: Path) -> Run:
    """Return the one tracked run of a stack."""
    experiment = client.get_experiment_by_name("latentlaw")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"params.data = '{data}'")
    return run
