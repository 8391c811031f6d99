"""Stacks of noisy bars, and runs with models of them that tell lying from standing bars."""

from pathlib import Path

import numpy as np
import pandas as pd
from latentlaw.data.particles.splits import TEST, TRAIN, VAL, split_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import grown_stack, new_stack
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import example_images, log_bundle
from latentlaw.tracking.names import SPLIT
from latentlaw.tracking.recording.runs import log_data, log_table, stage_run, tag_run
from latentlaw.training.seeds import seeded_initialisation

CLASSES = ("lying", "standing")
SHAPE = (1, 8, 8)


def bars(
    path: Path,
    *,
    n: int = 300,
    groups: int = 30,
    noise: float = 0.3,
    seed: int = 0,
    names: tuple[str, str] = CLASSES,
    grow: bool = False,
) -> str:
    """Make or grow a stack of bars, `n` of them in as many groups as asked for."""
    generator = np.random.default_rng(seed)
    lying = np.arange(n) % 2 == 0
    images = generator.normal(0, noise, size=(n, *SHAPE)).astype(np.float32)
    images[lying, :, 3:5, :] += 1
    images[~lying, :, :, 3:5] += 1
    group = [f"g{seed}_{i // 2 % groups}" for i in range(n)]
    rows = pd.DataFrame({"particle_id": [f"b{seed}_{i}" for i in range(n)]})
    rows = rows.assign(label=np.where(lying, *names), group=group)
    with (grown_stack if grow else new_stack)(path, item_shape=SHAPE, voxel_size_a=10.0) as writer:
        writer.append(images, rows)
    return str(path)


def trained(
    data: str, *, wrong: float = 0.0, seed: int = 0, names: tuple[str, str] = CLASSES
) -> str:
    """Log a network that was never trained, with a head that was; return the run's id.

    `wrong` is the share of training labels that are drawn anew; `names` are other class names.
    """
    stack = open_stack(data)
    split = split_particles(stack.table, seed=0)
    with seeded_initialisation(seed):
        model = AutoEncoder(
            ModelConfig(family="beta-vae", image_shape=SHAPE, pose_dims=0, depth=1, channels=4)
        ).eval()
    mu = embed(model, stack.images).mu
    generator = np.random.default_rng(seed)
    labels = np.where(stack.table["label"] == names[0], *names)
    drawn = generator.random(len(labels)) < wrong
    labels[drawn] = generator.choice(names, drawn.sum())
    head = fit_head(mu[split == TRAIN], labels[split == TRAIN], mu[split == VAL])
    with stage_run("train", {"epochs": 0}) as run:
        log_data(data, stack.digest, stack.table, "training")
        tag_run(family="beta-vae")
        table = pd.DataFrame({"particle_id": stack.table["particle_id"], "split": split})
        log_table(SPLIT, table)
        images = stack.read(np.flatnonzero(split == TEST)[:2])
        log_bundle(Bundle(model, head), example_images(images))
        return str(run.info.run_id)
