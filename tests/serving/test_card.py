"""The model card: true, whole, safe to show, and reproduced by the model that it is beside."""

import importlib.metadata
import json
import re
from collections import Counter
from pathlib import Path

import mlflow
import numpy as np
import pytest
import sympy
import yaml
from latentlaw.data.particles.splits import split_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.discovery.equations.expressions import symbol
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle, log_bundle
from latentlaw.serving.promotion.card import Listing, write_card
from latentlaw.serving.promotion.card_text import card_description, card_markdown
from latentlaw.serving.promotion.gate import measured
from latentlaw.tracking.names import LATENTS
from latentlaw.tracking.recording.registry import LONGEST_DESCRIPTION
from latentlaw.tracking.recording.runs import log_data, log_json, stage_run, tag_run
from mlflow.tracking import MlflowClient
from sklearn.metrics import accuracy_score

from pipelines.register import Register, run
from tests.logged_models import SHAPE, bars, trained

pytestmark = pytest.mark.usefixtures("tracking_store")

HEADINGS = (
    "Model details",
    "Intended use",
    "Training data",
    "Evaluation",
    "Novelty",
    "Limitations",
    "How to use",
    "Preprocessing and tensors",
    "Licence",
    "Citation",
)
NASTY = "<script>alert(1)</script> | [x](http://evil) `a` $b$ *c*\n# d"
LISTING = Listing("m", "1", "champion", True, "no version held it", "macro_f1", 0.02, None)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return bars(tmp_path / "bars.particles.zarr")


def discovered(data: str, network: str) -> str:
    """Log a model of equations on the latents of a network."""
    bundle, stack = load_logged_bundle(network), open_stack(data)
    head = 2 * symbol("z1") - symbol("z0") + sympy.Float(0.5)
    names = tuple(f"z{i}" for i in range(bundle.model.config.latent_dims))
    law = EquationModel(bundle.head.class_names, names, (head,))
    with stage_run("discover", {"model": network}) as active:
        log_data(data, stack.digest, stack.table, "discovery")
        tag_run(family="beta-vae", trained_by=network)
        log_json(LATENTS, [{"latent": "z1", "meaning": "area, r = 0.90"}])
        log_bundle(Bundle(bundle.model, bundle.head, law), np.zeros((1, *SHAPE), np.float32))
        return str(active.info.run_id)


def test_registered_model_reproduces_its_test_tensors(data: str) -> None:
    registered = run(Register(run=trained(data), name="m"))
    uri = f"models:/m/{registered.version}"
    folder = Path(mlflow.artifacts.download_artifacts(uri))
    record = json.loads((folder / "model_card.json").read_text())
    tensors = {
        each["id"]: np.load(folder / each["test_tensor"]["source"], allow_pickle=False)
        for each in (*record["bioimageio"]["inputs"], *record["bioimageio"]["outputs"])
    }
    assert set(tensors) == {"images", "latents", "probabilities"}
    bundle = load_logged_bundle(uri)
    codes = bundle.embed(tensors["images"])
    tolerance = record["test_tolerance"]
    assert tolerance == 1e-5
    np.testing.assert_allclose(codes.mu, tensors["latents"], atol=tolerance)
    np.testing.assert_allclose(
        bundle.probabilities(codes.mu), tensors["probabilities"], atol=tolerance
    )
    served = mlflow.pyfunc.load_model(str(folder)).predict(tensors["images"])
    np.testing.assert_allclose(served["z0"], tensors["latents"][:, 0], atol=tolerance)
    card = (folder / "model_card.md").read_text()
    assert card == card_markdown(record)
    description = MlflowClient().get_model_version("m", registered.version).description
    assert description.startswith("# m version 1")
    (made,) = (
        r
        for r in MlflowClient().search_runs(["1"])
        if r.data.tags["latentlaw.stage"] == "register"
    )
    names = {file.path for file in MlflowClient().list_artifacts(made.info.run_id)}
    assert {"model_card.md", "model_card.json", "test_images.npy"} <= names


def test_card_says_what_was_measured_and_what_is_not_known(data: str, tmp_path: Path) -> None:
    run_id = trained(data)
    found = measured(run_id)
    record = write_card(found, LISTING, tmp_path)
    accuracy = accuracy_score(found.truth, found.answers.predicted)
    assert record["evaluation"]["measures"]["accuracy"]["value"] == pytest.approx(accuracy)
    table = open_stack(data).table
    lying = Counter(split_particles(table, seed=0)[table["label"] == "lying"].tolist())
    assert record["training"]["particles"]["lying"] == lying
    assert record["training"]["groups"]["test"] == 6
    assert record["voxel_size_range_a"] == [10.0, 10.0]
    assert record["model"]["git_commit"] is None or len(record["model"]["git_commit"]) == 40
    novelty = found.candidate.bundle.head.novelty(found.answers.mu)
    assert record["novelty"]["measured"] == (novelty > 0.95).mean()
    text = (tmp_path / "model_card.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(HEADINGS)
    assert "Weights: not stated. Code: BSD-3-Clause." in text
    assert "No affinity prior." in text
    front = yaml.safe_load(text.split("---\n")[1])
    (result,) = front["model-index"][0]["results"]
    metrics = {each["name"]: each["value"] for each in result["metrics"]}
    assert metrics["accuracy"] == pytest.approx(accuracy, abs=1e-4)
    assert result["dataset"]["revision"] == open_stack(data).digest
    assert "license" not in front
    assert str(tmp_path) not in text + json.dumps(record)  # nor any other path of this machine


def test_a_model_is_registered_where_the_package_is_not_installed(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entry points find it by PYTHONPATH, as in an environment of conda.yaml."""
    find = importlib.metadata.distribution

    def distribution(name: str) -> importlib.metadata.Distribution:
        if name == "latentlaw":
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("latentlaw")
    found = run(Register(run=trained(data), name="bars"))
    assert found.version == "1"


def test_equations_are_there_with_what_their_latents_mean(data: str, tmp_path: Path) -> None:
    record = write_card(measured(discovered(data, trained(data))), LISTING, tmp_path)
    text = (tmp_path / "model_card.md").read_text()
    assert "$$ - z_{0} + 2 z_{1} + 0.5 $$" in text
    assert "\n-z0 + 2*z1 + 0.5\n" in text
    assert "| z1 | area, r = 0.90 |" in text
    assert "Go with no one plain image feature: z0." in text
    assert record["equations"]["classes"][0]["class"] == "lying"
    assert "$$" not in card_description(record, LONGEST_DESCRIPTION)


def test_description_leaves_out_what_databases_would_cut(data: str, tmp_path: Path) -> None:
    record = write_card(measured(trained(data)), LISTING, tmp_path)
    whole = card_description(record, 100_000)
    assert "## Citation" in whole
    assert "beside the model" not in whole
    for longest in (LONGEST_DESCRIPTION, 2000, 300):
        text = card_description(record, longest)
        assert len(text) <= longest
    assert "Citation" in card_description(record, 2000).rsplit("\n\n", 1)[-1]
    record["model"]["classes"] = [f"class {i}" for i in range(1000)]
    assert len(card_description(record, LONGEST_DESCRIPTION)) <= LONGEST_DESCRIPTION


def test_names_that_users_gave_stay_text(tmp_path: Path) -> None:
    data = bars(tmp_path / "bars.particles.zarr", names=(NASTY, "standing"))
    found = measured(trained(data, names=(NASTY, "standing")))
    folder = tmp_path / "card"
    folder.mkdir()
    record = write_card(found, LISTING, folder)
    assert record["model"]["classes"][0] == NASTY  # as data, it is what it is
    text = (folder / "model_card.md").read_text()
    assert "<script>" not in text
    assert "](http://evil)" not in text
    assert "\n# d" not in text
    rows = [line for line in text.split("\n") if line.startswith("| \\<script\\>")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5, 6]  # of both tables
    yaml.safe_load(text.split("---\n")[1])
