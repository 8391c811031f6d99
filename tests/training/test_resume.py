"""A run that goes on from a checkpoint of volumes has the bits of one that was not broken off."""

from pathlib import Path

import numpy as np
import pytest
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.errors import PreemptedError
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.checkpoints import read_checkpoint
from latentlaw.training.config import TrainConfig
from latentlaw.training.keeping import Keeper
from latentlaw.training.loop import fit
from latentlaw.training.seeds import seeded_initialisation


def trained(keeper: Keeper) -> dict[str, torch.Tensor]:
    with seeded_initialisation(0):
        config = ModelConfig(
            family="beta-vae", image_shape=(1, 8, 8, 8), pose_dims=0, channels=4, depth=1
        )
        model = AutoEncoder(config)
    images = np.random.default_rng(0).normal(size=(12, 1, 8, 8, 8)).astype(np.float32)
    data = Particles.unlabelled(ArrayImages(images), np.arange(12))
    fit(
        model,
        data,
        data,
        TrainConfig(epochs=2, batch_size=4, samples_per_epoch=12),
        keeper=keeper,
    )
    return model.state_dict()


def test_volumes_resume_to_the_bit(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    expected = trained(Keeper(tmp_path / "whole"))
    keeper = Keeper(tmp_path / "broken")
    keeper.stop.name = "SIGTERM"
    for step in (1, 2):
        with pytest.raises(PreemptedError, match="SIGTERM received"):
            trained(keeper)
        keeper.found = read_checkpoint(keeper.folder)
        assert keeper.found.record.progress.step == step
    keeper.stop.name = ""
    for name, value in trained(keeper).items():
        assert torch.equal(value, expected[name]), name
