"""The compare entry: one table of methods over seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.collect import collect
from latentlaw.errors import ConfigError, DataError
from mlflow import MlflowClient

from pipelines._presets import alphanumeric
from pipelines.compare import Compare, as_markdown, run, summarise


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


def test_methods_are_trained_and_compared_on_the_same_data(
    tmp_path: Path, tracking_store: MlflowClient
) -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(36, 16, 16)).astype(np.float32)
    labels = np.array(["a", "b", "c"] * 12)
    np.savez(tmp_path / "i.npz", images=images, labels=labels)
    collect(tmp_path / "i.npz", tmp_path / "i.particles.zarr")
    (tmp_path / "a.csv").write_text("a,b,c\n1,.2,-.5\n.2,1,0\n-.5,0,1\n")
    models = ("affinity-vae", "beta-vae", "cnn")
    table = run(
        Compare(
            data=str(tmp_path / "i.particles.zarr"),
            affinity=str(tmp_path / "a.csv"),
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
    assert {"comparison.csv", "comparison.md", "comparison_seeds.csv"} <= names


def test_unknown_method_and_wrong_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no method 'vae'; known: affinity-vae"):
        run(Compare(data="d", models=("vae",)))
    with pytest.raises(DataError, match=r"classes\.csv does not exist"):
        alphanumeric(str(tmp_path), str(tmp_path), overwrite=False)


def test_alphanumeric_holds_nine_classes_and_two_unseen(tmp_path: Path, shared_data: Path) -> None:
    from latentlaw.data.particles import open_stack

    preset = alphanumeric(str(shared_data / "alphanumeric"), str(tmp_path), overwrite=False)
    counts = open_stack(preset.data).table["label"].value_counts()
    assert set(counts.index) == set("aeijsuvd2") | {"5", "x"}
    assert counts.drop(["5", "x"]).sum() == 90
