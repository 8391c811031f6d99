"""Exported files answer as the model does, or there are none."""

import json
import pickletools
import re
import runpy
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import CheckpointError, ConfigError
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.digests import read_checked, read_digests
from latentlaw.serving.export.encoder import (
    RawEncoder,
    RawPose,
    check_onnx_packages,
    save_onnx,
    save_pt2,
    trace,
)
from latentlaw.serving.export.files import export_bundle

SMALL = {"channels": 4, "depth": 1, "latent_dims": 3, "splats": 8}
CONFIGS = {
    "3-D splat": {"family": "affinity-vae", "image_shape": (1, 8, 8, 8), "decoder": "splat"}
    | {"pose_dims": 4},
    "2-D splat": {"family": "affinity-vae", "image_shape": (2, 8, 8), "decoder": "splat"}
    | {"pose_dims": 2, "normalisation": {"smoothing": 0.7}},
    "3-D conv": {"family": "beta-vae", "image_shape": (1, 8, 6, 4), "pose_dims": 3},
    "aligned cells": {"family": "tc-vae", "image_shape": (1, 12, 12), "pose_dims": 0}
    | {"normalisation": {"kind": "global", "smoothing": 1.0, "alignment": "rotate-flip"}},
    "chiral cells": {"family": "autoencoder", "image_shape": (2, 10, 12), "pose_dims": 0}
    | {"normalisation": {"kind": "unit", "alignment": "rotate"}, "norm": "batch"},
}
PLAIN = {"family": "beta-vae", "image_shape": (1, 4, 4), "pose_dims": 0}
ALIGNED_VOLUMES = {"family": "tc-vae", "image_shape": (1, 6, 6, 6), "pose_dims": 0} | {
    "normalisation": {"alignment": "rotate"}
}


def model_of(values: dict[str, Any]) -> AutoEncoder:
    torch.manual_seed(0)
    return AutoEncoder(ModelConfig.model_validate(SMALL | values)).eval()


def images_for(model: AutoEncoder, n: int = 2) -> np.ndarray:
    """Off-centre blobs with noise, in grey levels of their own."""
    shape = model.config.image_shape
    rng = np.random.default_rng(n)
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[1:]), indexing="ij")
    points = np.stack(axes, axis=-1)[None] - rng.uniform(
        -0.3, 0.3, (n, *[1] * len(axes), len(axes))
    )
    blobs = np.exp(-3 * (points**2).sum(-1))[:, None] + 0.2 * rng.normal(size=(n, *shape))
    return (40 + 7 * blobs).astype(np.float32)


@pytest.mark.parametrize("name", CONFIGS)
def test_encoders_answer_as_the_model_whatever_the_batch(name: str, tmp_path: Path) -> None:
    model = model_of(CONFIGS[name])
    encoder = RawEncoder(model)
    program = trace(encoder)
    pt2, file = tmp_path / "encoder.pt2", tmp_path / "encoder.onnx"
    assert save_pt2(program, encoder, images_for(model), pt2) < 1e-5
    assert save_onnx(program, encoder, images_for(model), file) < 1e-4
    images = images_for(model, 7)
    codes = embed(model, images)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = encoder.outputs
    assert ("pose" in names) == (model.config.pose_dims > 0)
    assert [each.name for each in session.get_outputs()] == list(names)
    assert session.get_inputs()[0].shape[1:] == list(model.config.image_shape)
    by_onnx = dict(zip(names, session.run(None, {"images": images}), strict=True))
    loaded = torch.export.load(pt2).module()(torch.from_numpy(images))
    by_torch = {key: value.detach().numpy() for key, value in zip(names, loaded, strict=True)}
    for found in (by_onnx, by_torch):
        np.testing.assert_allclose(found["mu"], codes.mu, atol=1e-4)
        np.testing.assert_allclose(found["logvar"], codes.logvar, atol=1e-4)
    if model.config.pose_dims:
        guess = encoder(torch.from_numpy(images))[2].detach().numpy()
        np.testing.assert_allclose(by_onnx["pose"], guess, atol=1e-4)


def test_volumes_in_the_frame_of_their_light_are_exported_too(tmp_path: Path) -> None:
    encoder = RawEncoder(model_of(ALIGNED_VOLUMES))
    images = images_for(model_of(ALIGNED_VOLUMES))
    assert save_pt2(trace(encoder), encoder, images, tmp_path / "encoder.pt2") < 1e-5


def test_the_search_of_a_pose_finds_what_the_model_finds_in_a_wedge(tmp_path: Path) -> None:
    model = with_unlike_gaussians(model_of(CONFIGS["3-D splat"] | {"tilt_range": 60}))
    search, path = RawPose(model), tmp_path / "pose.pt2"
    assert save_pt2(trace(search), search, images_for(model), path) < 1e-5
    images = images_for(model, 7)
    (found,) = torch.export.load(path).module()(torch.from_numpy(images))
    np.testing.assert_allclose(found.numpy(), embed(model, images).pose, atol=1e-5)
    guess = RawEncoder(model)(torch.from_numpy(images))[2].detach().numpy()
    assert np.abs(found.numpy() - guess).max() > 0.1


def with_unlike_gaussians(model: AutoEncoder) -> AutoEncoder:
    with torch.no_grad():
        model.decoder.centres.bias += torch.randn_like(model.decoder.centres.bias)
    return model


def bundle_of(model: AutoEncoder, *, law: bool) -> Bundle:
    mu = np.random.default_rng(0).normal(size=(60, 3))
    head = fit_head(mu, np.where(mu[:, 0] > 0, "large", "small"), mu)
    names = ("z0", "z1", "z2")
    equations = EquationModel(("large", "small"), names, (parse("0.5 - 2.0*z0*z1", names),))
    return Bundle(model, head, equations if law else None)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path, tuple[str, ...]]:
    bundle = bundle_of(with_unlike_gaussians(model_of(CONFIGS["2-D splat"])), law=True)
    folder = tmp_path_factory.mktemp("export") / "out"
    done = export_bundle(bundle, images_for(bundle.model), folder, meanings={"z0": "size"})
    return bundle, folder, done.files


def test_no_part_of_an_export_is_a_pickle(exported: tuple[Bundle, Path, tuple[str, ...]]) -> None:
    _, folder, _ = exported
    for file in ("encoder.pt2", "pose.pt2"):
        with zipfile.ZipFile(folder / file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        assert any(name.endswith("model.json") for name in parts)
        assert not [name for name, content in parts.items() if _is_pickle(content)]
    assert _is_pickle(b"\x80\x02}q\x00.")
    onnx.checker.check_model(folder / "encoder.onnx", full_check=True)


def _is_pickle(content: bytes) -> bool:
    if content[:2] == b"PK":
        return True  # torch.save puts a pickle into a zip file
    try:
        return len(list(pickletools.genops(content))) > 1
    except Exception:
        return False


@pytest.mark.parametrize("save", [save_pt2, save_onnx])
def test_an_encoder_that_answers_otherwise_is_refused(save: Any, tmp_path: Path) -> None:
    model, other = model_of(PLAIN), model_of(PLAIN)
    program = trace(RawEncoder(model))
    with torch.no_grad():
        other.encoder.logvar.bias += 2e-4
    with pytest.raises(CheckpointError, match="encoder: logvar of a batch of 1 differs by"):
        save(program, RawEncoder(other), images_for(model), tmp_path / "encoder")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_onnx_packages()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"found no onnxruntime; pip install"):
        check_onnx_packages()


def test_an_export_is_all_that_its_readme_says(
    exported: tuple[Bundle, Path, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle, folder, files = exported
    assert set(files) == {
        "README.md", "digests.json", "encoder.onnx", "encoder.pt2", "head.json",
        "law.c", "law.h", "law.py", "law.tex", "pose.pt2",
    }  # fmt: skip
    digests = read_digests(folder)
    assert set(digests) == set(files) - {"digests.json"}
    for file in digests:
        read_checked(folder, file, digests)
    text = (folder / "README.md").read_text()
    assert "`(n, 2, 8, 8)`" in text
    assert "2 channels of y 8 x x 8 voxels" in text
    assert "`pose` of the encoder is a guess" in text
    assert "smoothing by 0.7 voxels, normalisation (particle)" in text
    assert "size" in (folder / "law.tex").read_text()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 4
    script = tmp_path / "snippets.py"
    script.write_text("".join(snippets))
    assert runpy.run_path(str(script))["pose"].shape == (1, 2)
    images = images_for(bundle.model)
    # From image to class by the files alone, as the bundle answers.
    session = onnxruntime.InferenceSession(folder / "encoder.onnx")
    mu = session.run(["mu"], {"images": images})[0]
    law = runpy.run_path(str(folder / "law.py"))
    answers = bundle.predict(images)
    assert [law["classify"](row) for row in mu.tolist()] == [a["class"] for a in answers]
    for row, each in zip(mu.tolist(), answers, strict=True):
        assert max(law["probabilities"](row)) == pytest.approx(each["probability"], abs=1e-4)


def test_class_and_novelty_are_what_the_readme_computes(tmp_path: Path) -> None:
    bundle = bundle_of(model_of(PLAIN), law=False)
    done = export_bundle(bundle, images_for(bundle.model), tmp_path / "out", meanings={})
    assert not [name for name in done.files if name.startswith("law")]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "no equations" in text
    record = json.loads((tmp_path / "out" / "head.json").read_text())
    parts = record.pop("densities")
    head = {key: np.array(value) for key, value in record.items()}
    mu = np.random.default_rng(1).normal(size=(20, 3))
    logits = (mu - head["mean"]) / head["scale"] @ head["weights"].T + head["bias"]
    weights = np.exp(logits)
    stored: LatentHead = bundle.head
    np.testing.assert_allclose(
        weights / weights.sum(1, keepdims=True), stored.probabilities(mu), rtol=1e-9
    )
    assert list(parts) == ["centres", "precisions", "log_volumes"]
    u = mu / np.linalg.norm(mu, axis=1, keepdims=True)
    surprise = [
        min(
            ((v - c) @ np.array(p) @ (v - c) + volume) / 2
            for c, p, volume in zip(*parts.values(), strict=True)
        )
        for v in u
    ]
    ranks = [(head["calibration"] < s).sum() / (len(head["calibration"]) + 1) for s in surprise]
    np.testing.assert_allclose(ranks, stored.novelty(mu))
