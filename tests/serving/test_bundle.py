"""A bundle is plain files that answer as the model did, or do not load."""

from pathlib import Path

import numpy as np
import pytest
import sympy
from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.expressions import symbol
from latentlaw.errors import CheckpointError, DataError
from latentlaw.evaluation.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle, load_bundle

IMAGES = np.random.default_rng(0).random((6, 1, 8, 8, 8), dtype=np.float32)


@pytest.fixture
def bundle() -> Bundle:
    values = {"family": "affinity-vae", "image_shape": (1, 8, 8, 8), "pose_dims": 4, "depth": 1}
    config = ModelConfig.model_validate({**values, "decoder": "splat", "channels": 4})
    mu = np.random.default_rng(0).normal(size=(40, 8))
    labels = np.where(mu[:, 0] > 0, "large", "small")
    law = EquationModel(
        ("large", "small"),
        tuple(f"z{i}" for i in range(8)),
        (-2 * symbol("z0") + sympy.Float(0.5),),
    )
    return Bundle(AutoEncoder(config).eval(), fit_head(mu, labels, mu), law)


def test_bundle_answers_the_same_after_a_round_trip(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "m")
    records = load_bundle(tmp_path / "m").predict(IMAGES)
    assert records == bundle.predict(IMAGES)
    assert records[0]["class"] in ("large", "small")
    assert 0.5 <= records[0]["probability"] <= 1
    assert "z0" in records[0]["expression"]
    assert sum(records[0][q] ** 2 for q in ("qw", "qx", "qy", "qz")) == pytest.approx(1)


def test_no_file_is_a_pickle(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "m")
    suffixes = {path.suffix for path in (tmp_path / "m").iterdir()}
    assert suffixes == {".json", ".safetensors"}


def test_changed_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "m")
    weights = tmp_path / "m" / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: SHA-256"):
        load_bundle(tmp_path / "m")


def test_missing_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "m")
    (tmp_path / "m" / "head.json").unlink()
    with pytest.raises(CheckpointError, match="not a whole model bundle"):
        load_bundle(tmp_path / "m")


def test_images_without_their_channel_are_taken(bundle: Bundle) -> None:
    assert bundle.predict(IMAGES[:, 0]) == bundle.predict(IMAGES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 1, 8, 8, 9)), r"found shape \(2, 1, 8, 8, 9\), expected"),
        (np.zeros((0, 1, 8, 8, 8)), "the batch is empty"),
        (np.full((1, 1, 8, 8, 8), np.nan), "NaN"),
        (np.zeros((2, 3, 8, 8, 8)), "found shape"),
    ],
)
def test_bad_images_are_refused(bundle: Bundle, images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bundle.predict(images)
