"""The same seed twice gives the same digest, splits, batches and equations; another does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.shuffling import ShuffledBatches
from latentlaw.data.particles.splits import split_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.discovery.equations.expressions import to_text
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.operon import OperonEngine


def outcome(out: Path, seed: int) -> dict[str, Any]:
    """Everything that a seed decides, from noise to equations."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(300, 1, 4, 4)).astype(np.float32)
    with new_stack(out, item_shape=(1, 4, 4)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 150, "group": np.arange(300) // 10})
        writer.append(images, table.astype({"group": str}))
    stack = open_stack(out)
    batches = ShuffledBatches(
        Particles.unlabelled(stack.images, np.arange(300)), batch_size=32, seed=seed, window=1
    )
    latents = images[:, 0, 0, :3].astype(np.float64)
    front = OperonEngine().search(
        latents,
        latents[:, 0] * latents[:, 1] - latents[:, 2],
        names=("z0", "z1", "z2"),
        spec=SearchSpec(generations=5, population=100, threads=1, seed=seed),
    )
    return {
        "digest": stack.digest,
        "split": split_particles(stack.table, seed=seed).tolist(),
        "batches": [batch.images.numpy().tobytes() for _ in range(2) for batch in batches],
        "equations": [to_text(each.expression) for each in front.found],
    }


def test_row_56_same_seed_twice(tmp_path: Path) -> None:
    first, again, other = (
        outcome(tmp_path / f"{i}.particles.zarr", seed) for i, seed in enumerate((3, 3, 4))
    )
    assert first == again
    for name, value in first.items():
        assert value != other[name], name
