import numpy as np
import pandas as pd
import pytest
from latentlaw.data.collection.collect import collect_particles
from latentlaw.errors import ConfigError, DataError
from latentlaw.tracking.names import FRONTIER, TAG_PARENT, TAG_STAGE

from pipelines import ladder
from pipelines.discovery.cross_validation import (
    BLACK_BOX,
    EQUATION,
    SCORES,
    frontier,
    summarise,
)
from pipelines.ladder import Ladder, run, tasks_of


@pytest.fixture
def nuclei(tmp_path):
    """Round, long and small blots, 30 of each."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-12:12, -12:12]
    images, labels = [], []
    for name, a, b in (("round", 5, 5), ("long", 8, 3), ("small", 3, 3)):
        for _ in range(30):
            turn = generator.uniform(0, np.pi)
            u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
            images.append(np.exp(-((u / a) ** 2) - (v / b) ** 2) + generator.normal(0, 0.02))
            labels.append(name)
    np.savez(tmp_path / "nuclei.npz", images=np.float32(images), labels=np.array(labels))
    collect_particles(tmp_path / "nuclei.npz", tmp_path / "nuclei.particles.zarr")
    return str(tmp_path / "nuclei.particles.zarr")


def folds(task="a,b", equations=0.98, extra=()):
    """Records of two seeds of five folds; equations reach a fixed share of the black box."""
    rows = []
    for fold in range(10):
        black = 0.8 + 0.01 * fold
        scores = {BLACK_BOX: black, EQUATION: equations * black, **dict.fromkeys(extra, black)}
        for model, score in scores.items():
            rows.append(
                {
                    "task": task,
                    "seed": fold // 5,
                    "fold": fold % 5,
                    "model": model,
                    "family": model,
                    "complexity": 10,
                    "nodes": 5 + fold if model == EQUATION else np.nan,
                    **dict.fromkeys(SCORES, score),
                }
            )
    return pd.DataFrame(rows)


def test_means_ratios_and_largest_expressions_over_folds():
    table = summarise(folds()).set_index("model")
    black, equations = table.loc[BLACK_BOX], table.loc[EQUATION]
    assert black["balanced_accuracy"] == pytest.approx(0.845)
    assert black["balanced_accuracy_low"] < 0.845 < black["balanced_accuracy_high"]
    assert equations["ratio"] == pytest.approx(0.98)
    assert equations["ratio_low"] == pytest.approx(0.98)
    assert equations["nodes"] == 14


def test_a_model_that_some_fold_lacks_is_left_out_and_tasks_are_kept_apart():
    every = folds(extra=("sparse",))
    every = every[~((every["model"] == "sparse") & (every["fold"] == 3))]
    table = summarise(pd.concat([every, folds("c,d", equations=0.5)]))
    assert set(table["model"]) == {BLACK_BOX, EQUATION}
    ratios = table[table["model"] == EQUATION].set_index("task")["ratio"]
    assert ratios.to_dict() == pytest.approx({"a,b": 0.98, "c,d": 0.5})


def test_the_frontier_has_the_fields_of_any_other_run():
    records = frontier(summarise(folds()))
    assert {"family", "name", "complexity", "accuracy", "macro_f1"} <= set(records[0])
    assert records[0]["accuracy_low"] < records[0]["accuracy"] < records[0]["accuracy_high"]


def test_tasks_are_separated_by_semicolons():
    told = Ladder(data="a", tasks="A=x+y,B; B,C")
    assert tasks_of(told) == ["A=x+y,B", "B,C"]
    assert tasks_of(Ladder(data="a")) == [None]


def test_an_unknown_class_is_refused_before_anything_runs(nuclei, tracking_store):
    with pytest.raises(ConfigError, match=r"no class 'rond' \(did you mean 'round'\?\)"):
        run(Ladder(data=nuclei, tasks="rond,long"))
    assert not tracking_store.search_runs(["0", "1"])


def test_too_few_particles_for_its_folds_are_refused_before_anything_runs(
    tmp_path, tracking_store
):
    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32)
    np.savez(tmp_path / "few.npz", images=images, labels=np.array(["a", "b"] * 4))
    collect_particles(tmp_path / "few.npz", tmp_path / "few.particles.zarr")
    with pytest.raises(DataError, match=r"data: found particles for fewer than 5 folds .*give"):
        run(Ladder(data=str(tmp_path / "few.particles.zarr")))
    assert not tracking_store.search_runs(["0", "1"])


def test_folds_run_in_processes_as_children_of_one_run(nuclei, tracking_store, monkeypatch):
    monkeypatch.setattr(ladder, "FOLDS", 2)
    table = run(
        Ladder(
            data=nuclei,
            tasks="round,long",
            seeds=1,
            epochs=1,
            black_box_epochs=1,
            budget_s=2,
            latent_dims=2,
            workers=2,
        )
    )
    assert {BLACK_BOX, EQUATION, "logistic regression"} <= set(table["model"])
    experiment = tracking_store.search_experiments()[0].experiment_id
    runs = tracking_store.search_runs([experiment])
    (parent,) = (each for each in runs if each.data.tags[TAG_STAGE] == "ladder")
    children = [each for each in runs if each.data.tags.get(TAG_PARENT) == parent.info.run_id]
    stages = sorted(each.data.tags[TAG_STAGE] for each in children)
    assert stages == ["discover", "discover", "train", "train"]
    assert sorted(
        each.data.params["fold"] for each in children if each.data.tags[TAG_STAGE] == "train"
    ) == ["0", "1"]
    assert {each.info.status for each in runs} == {"FINISHED"}
    names = {each.path for each in tracking_store.list_artifacts(parent.info.run_id)}
    assert {"ladder.csv", "ladder_folds.csv", FRONTIER} <= names
