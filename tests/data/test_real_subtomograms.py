"""Real 70S ribosomes: turned back by their RELION angles they average to their reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.formats.mrc import read_map
from latentlaw.data.star.euler import euler_to_quaternion
from latentlaw.geometry.rotations import quaternion_to_matrix
from latentlaw.geometry.volumes import rotate_images
from numpy.typing import NDArray

BOX = 32
GRID = np.stack(np.meshgrid(*[np.arange(BOX) - BOX // 2] * 3, indexing="ij"))
RADIUS = np.linalg.norm(GRID, axis=0).round().astype(int)


def likeness(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Correlation within the particle, without the radial mean that any orientation shares."""
    inner = RADIUS < 11
    flat = []
    for volume in (first, second):
        means = np.bincount(RADIUS.ravel(), volume.ravel()) / np.bincount(RADIUS.ravel())
        flat.append((volume - means[RADIUS])[inner])
    return float(np.corrcoef(*flat)[0, 1])


@pytest.fixture(scope="module")
def averages(shared_data: Path) -> dict[str, NDArray[Any]]:
    folder = shared_data / "real_subtomograms_70S"
    table = pd.read_csv(folder / "particles.csv")
    maps = [np.asarray(read_map(folder / name)[0], np.float32) for name in table["file"]]
    particles = torch.from_numpy(np.stack(maps))[:, None]
    particles -= particles.mean(dim=(1, 2, 3, 4), keepdim=True)
    particles /= particles.std(dim=(1, 2, 3, 4), keepdim=True)
    angles = table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    turns = quaternion_to_matrix(torch.from_numpy(euler_to_quaternion(angles)).float())
    turned = {
        "back": rotate_images(particles, turns.transpose(1, 2)),
        "forth": rotate_images(particles, turns),
        "not": particles,
    }
    return {name: images.mean(dim=(0, 1)).numpy() for name, images in turned.items()}


def test_turned_back_they_average_to_the_average_given(
    shared_data: Path, averages: dict[str, NDArray[Any]]
) -> None:
    given = read_map(shared_data / "real_subtomograms_70S" / "average_of_30_aligned.mrc")[0]
    likenesses = {name: likeness(average, given) for name, average in averages.items()}
    assert likenesses["back"] > 0.99
    assert max(likenesses["forth"], likenesses["not"]) < 0.4


def test_turned_back_they_average_to_what_relion_reconstructs(
    shared_data: Path, averages: dict[str, NDArray[Any]]
) -> None:
    # This map is a mirror image of the particles, as its own file has it.
    folder = shared_data / "real_subtomograms_70S"
    reference = read_map(folder / "relion_reconstruct_reference.mrc")[0][::-1]
    likenesses = {name: likeness(average, reference) for name, average in averages.items()}
    assert likenesses["back"] > 0.4
    assert max(likenesses["forth"], likenesses["not"]) < 0.2
