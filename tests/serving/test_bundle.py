"""A bundle is plain files that answer as the model did, or do not load."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.errors import CheckpointError, DataError
from latentlaw.serving.bundle import Bundle, load_bundle

from tests.bundles import tiny_bundle

IMAGES = np.random.default_rng(0).random((6, 1, 8, 8, 8), dtype=np.float32)


@pytest.fixture
def bundle() -> Bundle:
    return tiny_bundle()


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
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: found SHA-256"):
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
        (np.zeros((0, 1, 8, 8, 8)), "found no particle"),
        (np.full((1, 1, 8, 8, 8), np.nan), "NaN"),
        (IMAGES * np.float32(3e38), "network overflows"),
        (np.zeros((2, 3, 8, 8, 8)), "found shape"),
    ],
)
def test_bad_images_are_refused(bundle: Bundle, images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bundle.predict(images)


def test_only_the_parts_asked_for_come_back(bundle: Bundle) -> None:
    (record,) = bundle.predict(IMAGES[:1], returns=["class", "terms", "pose"])
    assert set(record) == {"class", "terms", "qw", "qx", "qy", "qz"}
    with pytest.raises(DataError, match=r"returns: found 'clas' \(did you mean 'class'\?\)"):
        bundle.predict(IMAGES[:1], returns=["clas"])


def test_terms_sum_to_the_value_that_gives_the_probability(bundle: Bundle) -> None:
    for record in bundle.predict(IMAGES):
        assert sum(record["terms"].values()) == pytest.approx(record["value"])
        assert record["probability"] == pytest.approx(1 / (1 + np.exp(-record["value"])))
        assert record["probabilities"][record["class"]] == record["probability"]


def test_decoded_images_have_the_box_of_the_model(bundle: Bundle) -> None:
    codes = bundle.embed(IMAGES)
    assert bundle.decode(codes.mu, codes.pose).shape == IMAGES.shape
    assert np.isfinite(bundle.decode(codes.mu)).all()
