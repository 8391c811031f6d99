"""Untrained bundles of small boxes, stacks and tomograms for tests of prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
import torch
from latentlaw.data.particles.writer import new_stack
from latentlaw.discovery.equations.expressions import symbol
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle

BOX, SIZE_A = 8, 10.0
CLASSES = ("large", "small")


def small_bundle(*, equations: bool = False, **changed: Any) -> Bundle:
    """Return a bundle of the same weights each time; `changed` of its configuration."""
    values = {
        "family": "affinity-vae",
        "image_shape": (1, BOX, BOX, BOX),
        "latent_dims": 4,
        "pose_dims": 4,
        "depth": 1,
        "decoder": "splat",
        "channels": 4,
        "splats": 8,
        "voxel_size_a": SIZE_A,
        **changed,
    }
    torch.manual_seed(0)
    model = AutoEncoder(ModelConfig.model_validate(values)).eval()
    mu = 0.1 * np.random.default_rng(0).normal(size=(40, 4))
    head = fit_head(mu, np.where(mu[:, 0] > 0, *CLASSES), mu)
    names = tuple(f"z{i}" for i in range(4))
    law = EquationModel(CLASSES, names, (-2 * symbol("z0") + sympy.Float(0.01),))
    return Bundle(model, head, law if equations else None)


def small_stack(path: Path, count: int = 40, groups: int = 1) -> Path:
    """Write a stack of noise, of particles with names and places; classes and groups in turn."""
    images = np.random.default_rng(1).normal(size=(count, 1, BOX, BOX, BOX)).astype(np.float32)
    numbers = np.arange(count)
    named = {
        "particle_id": [f"p{i:03d}" for i in numbers],
        "label": np.array(CLASSES)[numbers % 2],
        "group": [f"g{i // 2 % groups}" for i in numbers],
    }
    table = pd.DataFrame(named)
    places = dict.fromkeys("zyx", 100.0 + numbers)
    with new_stack(path, item_shape=images.shape[1:], voxel_size_a=SIZE_A) as writer:
        writer.append(images, table.assign(tomogram="tomo", **places))
    return path
