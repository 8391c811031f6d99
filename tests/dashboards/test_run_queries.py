"""What the dashboard reads of MLflow."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.errors import DataError
from latentlaw.tracking import names
from latentlaw.tracking.reading import artifacts, queries
from latentlaw.tracking.reading.artifacts import Missing

from tests.dashboards.dashboard_store import CLASSES, EQUATIONS, FRONTIER, MEANINGS, Store


def test_runs_are_listed_newest_first_with_tags_parameters_and_metrics(full_store: Store) -> None:
    runs = queries.list_runs(full_store.uri)
    assert len(runs) == 9
    assert list(runs.columns[: len(queries.RUN_COLUMNS)]) == list(queries.RUN_COLUMNS)
    assert runs["start_time"].is_monotonic_decreasing
    train = runs.set_index("run_id").loc[full_store.ids["train"]]
    assert (train["stage"], train["family"], train["status"]) == (
        "train",
        "affinity-vae",
        "FINISHED",
    )
    assert train["parent"] == full_store.ids["main"]
    assert train["params.latent_dims"] == "8"
    assert train["metrics.throughput/images_per_s"] == 512


def test_a_stage_and_a_limit_narrow_the_list(full_store: Store) -> None:
    assert set(queries.list_runs(full_store.uri, stages=["evaluate"])["stage"]) == {"evaluate"}
    assert len(queries.list_runs(full_store.uri, limit=3)) == 3


def test_runs_of_other_experiments_need_a_stage(empty_store: Store) -> None:
    other = empty_store.client.create_experiment("other", str(empty_store.folder / "other"))
    empty_store.client.create_run(other, run_name="foreign")
    kept = empty_store.client.create_run(other, tags={names.TAG_STAGE: "train"})
    half = empty_store.client.create_run(empty_store.experiment)
    runs = queries.list_runs(empty_store.uri).set_index("run_id")
    assert set(runs.index) == {kept.info.run_id, half.info.run_id}
    assert runs.loc[half.info.run_id, "stage"] == "unknown"


def test_children_are_listed_in_the_order_of_the_steps(full_store: Store) -> None:
    children = queries.list_children(full_store.uri, full_store.ids["main"])
    assert list(children["stage"]) == ["train", "evaluate", "discover"]
    assert queries.list_children(full_store.uri, "' OR 1=1").empty


def test_losses_come_back_epoch_by_epoch(full_store: Store) -> None:
    history = queries.loss_history(full_store.uri, full_store.ids["train"])
    assert set(history["term"]) == {"loss", "reconstruction", "kl", "affinity"}
    part = history[(history["split"] == "val") & (history["term"] == "kl")]
    assert list(part["epoch"]) == list(range(40))
    assert queries.loss_history(full_store.uri, full_store.ids["evaluate"]).empty


def test_a_store_that_is_not_there_is_empty_and_is_not_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'none.db'}"
    assert queries.list_runs(uri).empty
    assert isinstance(artifacts.load_frontier(uri, "a" * 32), Missing)
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_read_says_so_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is not a database" * 100)
    with pytest.raises(DataError, match="MLFLOW_TRACKING_URI"):
        queries.list_runs(f"sqlite:///{broken}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(DataError) as caught:
        queries.list_runs("http://user:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


def test_artifacts_are_read_as_they_were_written(full_store: Store) -> None:
    table = artifacts.load_embeddings(full_store.uri, full_store.ids["evaluate"])
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 60 * len(CLASSES)
    affinity = artifacts.load_affinity(full_store.uri, full_store.ids["evaluate"])
    assert isinstance(affinity, artifacts.Affinity)
    assert affinity.class_names == CLASSES
    assert affinity.used is not None
    assert np.allclose(np.diag(affinity.used), 1)
    frontier = artifacts.load_frontier(full_store.uri, full_store.ids["discover"])
    assert isinstance(frontier, pd.DataFrame)
    assert len(frontier) == len(FRONTIER)
    equations = artifacts.load_equations(full_store.uri, full_store.ids["discover"])
    assert isinstance(equations, pd.DataFrame)
    assert list(equations["latex"]) == [row[2] for row in EQUATIONS]
    meanings = artifacts.load_meanings(full_store.uri, full_store.ids["discover"])
    assert meanings == {z: text for z, text in MEANINGS.items() if text}
    strip = artifacts.load_artifact_png(
        full_store.uri, full_store.ids["discover"], "traversals/z0.png"
    )
    assert isinstance(strip, bytes)


DAMAGED = {
    "not JSON": (names.FRONTIER, b"[{", artifacts.load_frontier),
    "not a list": (names.FRONTIER, {"a": 1}, artifacts.load_frontier),
    "a field short": (names.EQUATIONS, [{"class": "a"}], artifacts.load_equations),
    "no meaning": (names.LATENTS, [{"latent": "z0"}], artifacts.load_meanings),
    "not UTF-8": (names.EQUATIONS, b"\xff\xfe\x00", artifacts.load_equations),
    "a ragged matrix": (
        names.AFFINITY,
        {"class_names": ["a", "b"], "learned": [[1, 0], [0]]},
        artifacts.load_affinity,
    ),
    "a matrix of another size": (
        names.AFFINITY,
        {"class_names": ["a"], "used": [[1, 0], [0, 1]]},
        artifacts.load_affinity,
    ),
    "a matrix of objects": (
        names.AFFINITY,
        {"class_names": ["a"], "used": [[{}]]},
        artifacts.load_affinity,
    ),
    "nested too deep": (names.FRONTIER, b"[" * 200_000, artifacts.load_frontier),
    "not Parquet": (names.EMBEDDINGS, b"PAR1 no", artifacts.load_embeddings),
    "Parquet of another table": (
        names.EMBEDDINGS,
        pd.DataFrame({"px": [0.0]}),
        artifacts.load_embeddings,
    ),
}


def test_damaged_artifacts_are_named_with_what_is_wrong(empty_store: Store) -> None:
    for fault, (name, content, load) in DAMAGED.items():
        run = empty_store.add("evaluate")
        assert load(empty_store.uri, run).reason == "absent", fault
        empty_store.put(run, name, content)
        found = load(empty_store.uri, run)
        assert isinstance(found, Missing), fault
        assert found.reason == "damaged", fault
        assert name in found.message, fault
        assert found.detail, fault


def test_a_picture_that_is_cut_off_is_damaged(empty_store: Store) -> None:
    run = empty_store.add("discover")
    empty_store.put(run, "traversals/z1.png", b"\x89PNG\r\n\x1a\n and no more")
    found = artifacts.load_artifact_png(empty_store.uri, run, "traversals/z1.png")
    assert isinstance(found, Missing)
    assert found.reason == "damaged"


def test_null_scores_are_missing_numbers(empty_store: Store) -> None:
    run = empty_store.add("discover")
    row = {"family": "equation", "name": "e", "complexity": 4, "accuracy": 0.5, "macro_f1": None}
    empty_store.put(run, names.FRONTIER, [row, {**row, "accuracy": None}])
    frontier = artifacts.load_frontier(empty_store.uri, run)
    assert isinstance(frontier, pd.DataFrame)
    assert len(frontier) == 1
    assert np.isnan(frontier["macro_f1"].iloc[0])


def test_reading_leaves_the_store_as_it_is(full_store: Store) -> None:
    def state() -> list[tuple[str, int]]:
        return [
            (str(path), os.stat(path).st_mtime_ns)
            for path in sorted(full_store.folder.rglob("*"))
            if path.is_file()
        ]

    before = state()
    queries.list_runs(full_store.uri)
    queries.loss_history(full_store.uri, full_store.ids["train"])
    artifacts.load_embeddings(full_store.uri, full_store.ids["evaluate"])
    assert state() == before
