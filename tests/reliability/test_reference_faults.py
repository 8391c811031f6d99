"""Faults of the Affinity-VAE's reference implementation that are not faults here.

docs/reference_faults.md lists all of them, with the test that holds each; those that tests of a
module hold are not repeated here.
"""

import ast
import io
import pickle
import pickletools
import re
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.splits import split_particles
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import fit_head
from latentlaw.losses.schedules import ScheduleKind, weight_schedule
from latentlaw.models.config import ModelConfig
from latentlaw.models.normalisation import Normalisation
from latentlaw.models.pose import PoseHead, pose_matrix
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle, load_bundle
from latentlaw.serving.log import log_bundle
from latentlaw.training.seeds import seeded_initialisation
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import CONFIG, network, particles, train

ROOT = Path(__file__).parents[2]
_CYCLIC: tuple[ScheduleKind, ...] = ("ramp", "cyclic_linear", "cyclic_sigmoid", "cyclic_cosine")


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("numbers", ["zero", "parallel", "one"])
def test_pose_of_degenerate_numbers_is_a_rotation(dims: int, numbers: str) -> None:
    """The reference's zero axis gives a matrix of determinant 0.83."""
    head = PoseHead(1, 4 if dims == 3 else 2)
    directions = {
        "zero": torch.zeros(6),
        "parallel": torch.tensor([0.0, 2, 1, 0, 4, 2]),
        "one": torch.tensor([0.0, 0, 1, 0, 0, 0]),
    }
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(directions[numbers][: head.linear.out_features])
    matrix = pose_matrix(head(torch.ones(1, 1)))[0]
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(dims))
    assert torch.linalg.det(matrix).item() == pytest.approx(1)
    torch.testing.assert_close(pose_matrix(torch.zeros(2 * dims - 2)), torch.eye(dims))


@pytest.mark.parametrize("decoder", ["conv", "splat"])
def test_evaluation_draws_nothing(decoder: str) -> None:
    """The reference blurs each image by a width drawn anew, in evaluation too."""
    values = {"family": "affinity-vae", "image_shape": (1, 8, 8), "pose_dims": 2, "depth": 1}
    with seeded_initialisation(0):
        config = ModelConfig.model_validate({**values, "decoder": decoder, "norm": "batch"})
        model = AutoEncoder(config).train()  # as a training loop leaves it
    images = particles(9, 0)[:]
    before = torch.random.get_rng_state()
    first, second = (embed(model, images, batch_size=4) for _ in range(2))
    for name in ("mu", "logvar", "pose"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert torch.equal(torch.random.get_rng_state(), before)
    alone = embed(model, images[:1])  # nor does it look at the others of a batch
    np.testing.assert_allclose(alone.mu, first.mu[:1], atol=1e-5)


def test_validation_is_the_same_however_often_it_is_made(tmp_path: Path) -> None:
    """Weights that do not move have one validation loss, though training draws noise and turns."""
    still = CONFIG.model_copy(update={"learning_rate": 1e-30, "epochs": 3})
    with seeded_initialisation(0):
        model = AutoEncoder(network().config.model_copy(update={"norm": "group"}))
    metrics = train(tmp_path, config=still, model=model)["metrics"]
    assert len({epoch["val/loss"] for epoch in metrics}) == 1
    assert len({epoch["train/loss"] for epoch in metrics}) == 3


def test_a_class_whose_name_is_part_of_another_is_held_out_alone() -> None:
    """The reference takes the files of `10` and `11` for class `1`."""
    labels = np.tile(["1", "10", "11", "21"], 10)
    table = pd.DataFrame({"label": labels, "group": np.arange(40).astype(str)})
    split = split_particles(table, seed=0, hold_out=("1",))
    assert set(labels[split == "held_out"]) == {"1"}
    assert set(labels[split == "train"]) == {"10", "11", "21"}


@pytest.mark.parametrize("kind", _CYCLIC)
@pytest.mark.parametrize(("epochs", "cycles"), [(1, 1), (20, 4), (7, 3), (3, 9)])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_schedules_of_any_ratio_and_length(
    kind: ScheduleKind, epochs: int, cycles: int, ratio: float
) -> None:
    """The reference divides by zero at ratio 0, its default, and overruns its array at 1."""
    weights = weight_schedule(kind, epochs, 2.0, cycles=cycles, ratio=ratio)
    assert len(weights) == epochs
    if ratio == 0:
        assert weights == [2.0] * epochs
    assert 0 <= min(weights) <= max(weights) <= 2


@pytest.mark.parametrize("kind", ["particle", "global"])
def test_a_loaded_model_normalises_as_it_was_trained(tmp_path: Path, kind: str) -> None:
    """The reference's user must repeat the transforms of training by hand."""
    raw = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 50 + 300
    normalisation = Normalisation.fit(Normalisation(kind=kind).kind, [raw])
    with seeded_initialisation(0):
        changed = {"normalisation": normalisation, "norm": "none"}
        model = AutoEncoder(network().config.model_copy(update=changed))
    with torch.inference_mode():
        trained_on = model.encode(normalisation(raw)).mu.numpy()
        as_they_are = model.encode(raw).mu.numpy()
    labels = np.tile(["a", "b"], 6)
    Bundle(model, fit_head(trained_on, labels, trained_on)).save(tmp_path / "m")
    loaded = load_bundle(tmp_path / "m").model
    assert loaded.config.normalisation == normalisation
    np.testing.assert_array_equal(embed(loaded, raw.numpy()).mu, trained_on)
    assert np.abs(as_they_are - trained_on).max() > 0.1


def is_pickle(content: bytes) -> bool:
    """Tell whether bytes begin with a pickle, or are an archive, which is where torch puts one."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        return True
    try:
        pickletools.dis(content, out=io.StringIO())  # follows the stack, so text does not pass
    except Exception:  # whatever it meets in bytes that are no pickle
        return False
    return True


def test_nothing_that_is_kept_is_a_pickle(tmp_path: Path, tracking_store: MlflowClient) -> None:
    """The reference's checkpoints are pickled objects, which run code when they are loaded."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert is_pickle(pickle.dumps({"weights": [1.0]}, protocol))
    saved = io.BytesIO()
    torch.save({"weights": torch.ones(1)}, saved)
    assert is_pickle(saved.getvalue())

    model = network()
    train(tmp_path / "kept", config=CONFIG.model_copy(update={"epochs": 1}), model=model)
    images = particles(12, 0)[:]
    mu = embed(model, images).mu
    with mlflow.start_run() as run:
        log_bundle(Bundle(model, fit_head(mu, np.tile(["a", "b"], 6), mu)), images[:2])
    uri = f"runs:/{run.info.run_id}/model"
    logged = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path / "logged")))
    for folder, least in ((tmp_path / "kept", 6), (logged, 20)):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) >= least
        assert [str(path) for path in files if is_pickle(path.read_bytes())] == []


def test_every_test_that_the_list_of_faults_names_is_there() -> None:
    text = (ROOT / "docs" / "reference_faults.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 12
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
