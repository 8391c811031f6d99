"""The compare entry: one table of methods over seeds."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.collection.collect import collect_particles
from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import ConfigError, DataError
from latentlaw.priors.files import read_affinity
from mlflow import MlflowClient

from pipelines import evaluate
from pipelines.compare import Compare, run, summarise
from pipelines.evaluation.supervised import supervised
from pipelines.figures.affinity import prior_heatmaps
from pipelines.figures.tables import as_markdown
from pipelines.presets import PRESETS, Order, PresetName, rendered, shrec
from pipelines.training.parameters import Train


def test_table_is_mean_and_spread_over_seeds() -> None:
    every = pd.DataFrame(
        {
            "method": ["b", "b", "a"],
            "seed": [0, 1, 0],
            "x": [1.0, 3.0, 5.0],
            "y": [1, np.nan, None],
        }
    )
    table = summarise(every)
    assert list(table.index) == ["b", "a"]
    assert table["x"].tolist() == ["2.000 ± 1.414", "5.000"]
    assert table["y"].tolist() == ["1.000", ""]
    assert as_markdown(table).splitlines()[2] == "| x | 2.000 ± 1.414 | 5.000 |"


def collected(folder: Path, name: str, *, seed: int) -> str:
    """Make a stack of 36 noise images of three classes."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(36, 16, 16)).astype(np.float32)
    labels = np.array(["a", "b", "c"] * 12)
    np.savez(folder / f"{name}.npz", images=images, labels=labels)
    stack = folder / f"{name}.particles.zarr"
    collect_particles(folder / f"{name}.npz", stack)
    return str(stack)


@pytest.fixture
def affinity(tmp_path: Path) -> str:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,.2,-.5\n.2,1,0\n-.5,0,1\n")
    return str(path)


def test_methods_are_trained_and_compared_on_the_same_data(
    tmp_path: Path, tracking_store: MlflowClient, affinity: str
) -> None:
    models = ("affinity-vae", "beta-vae", "cnn")
    table = run(
        Compare(
            data=collected(tmp_path, "i", seed=0),
            affinity=affinity,
            models=models,
            seeds=1,
            epochs=1,
        )
    )
    assert tuple(table.index) == models
    assert (table["classification/accuracy"] != "").all()
    assert (table["separation/silhouette"] != "").tolist() == [True, True, False]
    experiment = tracking_store.get_experiment_by_name("latentlaw")
    assert experiment is not None
    runs = tracking_store.search_runs([experiment.experiment_id])
    (parent,) = [r for r in runs if r.data.tags["latentlaw.stage"] == "compare"]
    assert {r.data.tags["mlflow.parentRunId"] for r in runs if r is not parent} == {
        parent.info.run_id
    }
    names = {file.path for file in tracking_store.list_artifacts(parent.info.run_id)}
    assert {"comparison.csv", "comparison.md", "comparison_seeds.csv", "figures"} <= names
    page = tracking_store.download_artifacts(parent.info.run_id, "figures/prior.html")
    assert not re.search(r"<script[^>]*\ssrc=", Path(page).read_text())  # it opens offline


def test_another_stack_is_tested_on_by_classifiers_of_training_latents(
    tmp_path: Path, tracking_store: MlflowClient, affinity: str
) -> None:
    trained, tested = (collected(tmp_path, name, seed=i) for i, name in enumerate("it"))
    told = Compare(
        data=trained,
        test_data=tested,
        affinity=affinity,
        models=("affinity-vae", "cnn"),
        seeds=1,
        epochs=1,
        hold_out=("c",),
    )
    table = run(told)
    assert (table["classification/accuracy"] != "").all()
    vae = table.loc["affinity-vae"]
    assert vae["classification/knn_accuracy"] != ""
    assert vae["novelty/auroc"] != ""
    (evaluation,) = tracking_store.search_runs(["1"], "tags.latentlaw.stage = 'evaluate'")
    found = tracking_store.download_artifacts(evaluation.info.run_id, "embeddings.parquet")
    rows = pd.read_parquet(found)
    assert (len(rows), set(rows["split"])) == (36, {"test"})
    model = evaluation.data.params["model"]
    for wrong in (tested, trained):
        with pytest.raises(ConfigError, match=r"train_data: found .*, expected the stack"):
            evaluate.run(evaluate.Evaluate(model=model, data=wrong, train_data=wrong))


@pytest.mark.usefixtures("tracking_store")
def test_options_of_the_supervised_network_are_checked_before_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = collected(tmp_path, "s", seed=0)
    monkeypatch.setattr(ImageChunks, "_get", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(ConfigError, match="divisible by 32"):
        supervised(Train(data=data, model="beta-vae", depth=5))


def test_unknown_method_and_wrong_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found no method 'vae', expected some of affinity-vae"):
        run(Compare(data="d", models=("vae",)))
    with pytest.raises(ConfigError, match="affinity: found none, expected a CSV"):
        run(Compare(data="d"))
    with pytest.raises(DataError, match=r"found no .*classes\.csv"):
        PRESETS["alphanumeric"](Order(tmp_path, tmp_path))


def test_every_preset_has_a_name_to_ask_for_it_by() -> None:
    assert set(get_args(PresetName)) == set(PRESETS)


def test_heat_maps_show_each_table_once() -> None:
    given, used, learned = ([[1.0, x], [x, 1.0]] for x in (-1.0, -0.5, -0.4))
    tables = {"class_names": ["1e3", "b"], "given": given, "learned": learned}
    figure = prior_heatmaps({"mended": {**tables, "used": used}, "raw": {**tables, "used": given}})
    titles = [note.text for note in figure.layout.annotations]
    assert titles == [
        "prior as given", "as used by mended", "as learned by mended", "as learned by raw",
    ]  # fmt: skip
    assert [panel.z[0][1] for panel in figure.data] == [-1.0, -0.5, -0.4, -0.4]


def test_alphanumeric_holds_nine_classes_and_two_unseen(tmp_path: Path, shared_data: Path) -> None:
    preset = PRESETS["alphanumeric"](Order(shared_data / "alphanumeric", tmp_path))
    counts = open_stack(preset.data).table["label"].value_counts()
    assert set(counts.index) == set("aeijsuvd2") | {"5", "x"}
    assert counts.drop(["5", "x"]).sum() == 90


def test_rendered_letters_are_tested_on_foreign_ones(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rendered._EACH, "small", 1)
    preset = PRESETS["alphanumeric-rendered"](Order(shared_data / "alphanumeric", tmp_path))
    table = read_affinity(preset.affinity)
    assert set(table.class_names) == set("2adeijlsuv5x")
    assert table.smallest_eigenvalue > -1e-6
    assert open_stack(preset.data).class_names == sorted(table.class_names)
    assert preset.test_data is not None
    assert len(open_stack(preset.test_data)) == 121
    assert open_stack(preset.data).item_shape == open_stack(preset.test_data).item_shape


def test_shrec_is_made_by_the_pipeline(
    tmp_path: Path,
    shared_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracking_store: MlflowClient,
) -> None:
    tiny = {"tomograms": 2, "particles": 13, "shape": (64, 128, 128)}
    monkeypatch.setitem(shrec._SIZES, "small", tiny)
    preset = PRESETS["shrec"](Order(shared_data / "templates_10A", tmp_path))
    stack = open_stack(preset.data)
    assert (len(stack), stack.item_shape, stack.voxel_size_a) == (26, (1, 32, 32, 32), 10)
    assert set(stack.class_names) == set(read_affinity(preset.affinity).class_names)
    assert set(preset.training["hold_out"]) < set(stack.class_names)
    assert stack.table["group"].nunique() == 2


def test_subtomograms_are_halved_and_their_table_cannot_be_met(
    tmp_path: Path, shared_data: Path
) -> None:
    preset = PRESETS["subtomograms"](Order(shared_data / "subtomograms", tmp_path))
    stack = open_stack(preset.data)
    assert (len(stack), stack.item_shape) == (30, (1, 32, 32, 32))
    assert (stack.table["label"].value_counts() == 5).all()
    assert read_affinity(preset.affinity).select(stack.class_names).floor > 0.5
