"""Picks against particles, and a model that shows what it sees: exact on what is made for it."""

import numpy as np
import pytest
import torch
from latentlaw.evaluation.scores.detection import best_shift, reconstruction_correlation
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from torch import Tensor, nn

from tests.benchmarks.detection import compare_picks

BOX = 8


class Shows(nn.Module):
    """A decoder that shows one image whatever it is asked."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, z: Tensor, pose: Tensor) -> Tensor:
        return self.image.expand(len(z), *self.image.shape)


def blob(size: int, at: tuple[int, int, int]) -> Tensor:
    axes = [torch.exp(-((torch.arange(size) - place) ** 2) / 4.0) for place in at]
    return torch.einsum("z,y,x->zyx", *axes)[None]


@pytest.fixture
def model() -> AutoEncoder:
    config = ModelConfig(
        family="autoencoder", image_shape=(1, BOX, BOX, BOX), pose_dims=0, depth=2
    )
    made = AutoEncoder(config).eval()
    made.decoder = Shows(blob(BOX, (4, 4, 4)))
    return made


def test_correlation_is_of_what_is_seen_with_what_is_shown(model: AutoEncoder) -> None:
    shown = blob(BOX, (4, 4, 4))
    other = blob(BOX, (1, 6, 2))
    images = torch.stack((3 * shown + 7, -shown, torch.zeros_like(shown), other))
    pearson = np.corrcoef(other.ravel(), shown.ravel())[0, 1]
    found = reconstruction_correlation(model, images)
    np.testing.assert_allclose(found, [1, -1, 0, pearson], atol=1e-5)


def test_shift_leads_to_what_is_shown(model: AutoEncoder) -> None:
    moves = torch.tensor([[0, 0, 0], [2, -1, 1], [-2, 2, 0]])
    wide = torch.stack([blob(BOX + 4, tuple((6 + move).tolist())) for move in moves])
    assert best_shift(model, 5 * wide - 3).tolist() == moves.tolist()


def test_each_pick_and_particle_counts_once() -> None:
    particles = np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0], [90, 0, 0]])
    picks = np.array([[1.0, 0, 0], [0.5, 0, 0], [12, 0, 0], [50, 0, 0]])
    found = compare_picks(picks, particles, 3)
    assert sorted(map(tuple, found.pairs.tolist())) == [(1, 0), (2, 1)]
    assert sorted(found.distances) == [0.5, 2]
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)


def test_no_picks_and_no_particles() -> None:
    none, one = np.empty((0, 3)), np.zeros((1, 3))
    assert compare_picks(none, one, 1).f1 == 0
    assert compare_picks(one, none, 1).precision == 0
    assert compare_picks(none, none, 1).recall == 0
