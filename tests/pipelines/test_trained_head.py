"""The head of a trained model is fitted on training particles and calibrated on known others."""

import numpy as np
from latentlaw.data.particles.loading import ArrayImages
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.prepare import PreparedData

from pipelines.training.fitting import trained_head


def test_particles_of_unknown_kind_do_not_say_what_is_known() -> None:
    images = np.random.default_rng(0).normal(size=(60, 1, 8, 8)).astype(np.float32)
    labels = np.array(["a", "b"] * 30)
    split = np.array([TRAIN] * 30 + [VAL] * 20 + [TEST] * 10, dtype="<U8")
    labels[35:40] = ""
    data = PreparedData(ArrayImages(images), labels, split, ["a", "b"])
    config = ModelConfig(
        family="beta-vae", image_shape=(1, 8, 8), pose_dims=0, channels=4, depth=1
    )
    model = AutoEncoder(config).eval()
    head = trained_head(model, data)
    assert len(head.calibration) == 15
    images[35:40] = np.eye(8)
    assert trained_head(model, data).calibration == head.calibration
