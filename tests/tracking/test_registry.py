"""Aliases and their history, on a tracking store of the test's own."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from latentlaw.errors import RegistryError
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle, log_bundle
from latentlaw.tracking.reading.logged import load_json, source_run
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.registry import (
    LONGEST_DESCRIPTION,
    LONGEST_TAG,
    Move,
    Return,
    add_version,
    describe_version,
    history,
    holder_of,
    move_alias,
    standing,
    way_back,
)
from latentlaw.tracking.recording.runs import log_json, stage_run
from mlflow.tracking import MlflowClient

ALIAS = "champion"


@pytest.fixture(autouse=True)
def store(tracking_store: MlflowClient) -> MlflowClient:
    return tracking_store


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    values = {"family": "beta-vae", "image_shape": (1, 8, 8), "pose_dims": 0, "depth": 1}
    mu = np.random.default_rng(0).normal(size=(20, 8))
    labels = np.where(mu[:, 0] > 0, "a", "b")
    model = AutoEncoder(ModelConfig.model_validate({**values, "channels": 4}))
    return Bundle(model.eval(), fit_head(mu, labels, mu))


@pytest.fixture
def run_id(bundle: Bundle) -> str:
    with stage_run("train", {}) as run:
        log_bundle(bundle, np.zeros((1, 1, 8, 8), dtype=np.float32))
        return str(run.info.run_id)


@pytest.fixture
def three(run_id: str) -> str:
    """A model of three versions, of which each held the alias in turn."""
    for _ in range(3):
        holder = holder_of("m", ALIAS)
        version = add_version(run_id, "m", {})
        move_alias("m", ALIAS, version, "gate", seen=holder and str(holder.version))
    return "m"


def versions(name: str) -> list[str]:
    return [move.version for move in history(name, ALIAS)]


def go_back(name: str, to: str = "previous") -> str:
    way = way_back(name, ALIAS, to)
    move_alias(name, ALIAS, way.to, "rollback", seen=way.now)
    return way.to


def test_newest_version_is_candidate_and_the_alias_stays(run_id: str, store: MlflowClient) -> None:
    assert holder_of("m", ALIAS) is None
    assert add_version(run_id, "m", {"latentlaw.key": "value"}) == "1"
    move_alias("m", ALIAS, "1", "gate", seen=None)
    assert add_version(run_id, "m", {}) == "2"
    assert str(store.get_model_version_by_alias("m", "candidate").version) == "2"
    holder = holder_of("m", ALIAS)
    assert holder is not None
    assert (str(holder.version), holder.tags) == ("1", {"latentlaw.key": "value"})


def test_a_move_decided_on_what_is_gone_is_refused(three: str) -> None:
    with pytest.raises(RegistryError, match="found version 3 meanwhile, expected 2"):
        move_alias(three, ALIAS, "1", "gate", seen="2")
    assert versions(three) == ["1", "2", "3"]


def test_rollback_goes_back_one_version_each_time(three: str, store: MlflowClient) -> None:
    assert [go_back(three), go_back(three)] == ["2", "1"]
    assert str(store.get_model_version_by_alias(three, ALIAS).version) == "1"
    with pytest.raises(RegistryError, match="found none left that held it before version 1"):
        go_back(three)
    assert versions(three) == ["1", "2", "3", "2", "1"]
    assert go_back(three, "3") == "3"  # what was withdrawn can be taken up again
    assert go_back(three) == "1"


def test_rollback_passes_over_versions_that_were_deleted(three: str, store: MlflowClient) -> None:
    store.delete_model_version(three, "2")
    assert way_back(three, ALIAS, "previous") == Return("3", "1")
    with pytest.raises(RegistryError, match="version 2 of m, which is not there any more"):
        way_back(three, ALIAS, "2")
    store.delete_model_version(three, "3")  # MLflow takes its aliases along
    assert way_back(three, ALIAS, "previous") == Return(None, "1")


def test_rollback_goes_only_where_the_alias_was(
    three: str, run_id: str, store: MlflowClient
) -> None:
    add_version(run_id, three, {})
    with pytest.raises(
        RegistryError, match=r"version 4 of m, which never held 'champion'.*1, 2, 3"
    ):
        way_back(three, ALIAS, "4")
    with pytest.raises(RegistryError, match="version 3 of m, which holds 'champion' now"):
        way_back(three, ALIAS, "3")
    with pytest.raises(RegistryError, match="found no version that ever held it"):
        way_back("absent", ALIAS, "previous")
    store.set_registered_model_alias(three, ALIAS, "4")  # by hand
    assert history(three, ALIAS)[-1] == Move("4", "other", 0)
    assert way_back(three, ALIAS, "previous") == Return("4", "3")


def test_a_long_history_keeps_what_its_tag_holds(three: str, store: MlflowClient) -> None:
    (key,) = store.get_registered_model(three).tags
    moves = history(three, ALIAS) * 40
    store.set_registered_model_tag(three, key, json.dumps([asdict(move) for move in moves]))
    move_alias(three, ALIAS, "1", "rollback", seen="3")
    (text,) = store.get_registered_model(three).tags.values()
    assert len(text) <= LONGEST_TAG
    assert 50 < len(history(three, ALIAS)) < 120
    assert standing(history(three, ALIAS)) == ["1"]


def test_a_description_that_databases_cut_is_refused(three: str, store: MlflowClient) -> None:
    describe_version(three, "1", "x" * LONGEST_DESCRIPTION)
    assert len(store.get_model_version(three, "1").description) == LONGEST_DESCRIPTION
    with pytest.raises(RegistryError, match="5001 characters, expected at most 5000"):
        describe_version(three, "1", "x" * (LONGEST_DESCRIPTION + 1))


def test_run_without_a_model_is_refused() -> None:
    with stage_run("train", {}) as run:
        pass
    with pytest.raises(RegistryError, match="no model to register"):
        add_version(run.info.run_id, "m", {})


def test_logged_bundle_loads_by_run_and_by_uri(bundle: Bundle, three: str, run_id: str) -> None:
    images = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
    for name in (run_id, f"runs:/{run_id}/model", "models:/m@champion"):
        assert load_logged_bundle(name).predict(images) == bundle.predict(images)
        assert source_run(name) == run_id
    with pytest.raises(RegistryError):
        load_logged_bundle("models:/absent@champion")


def test_children_join_their_parent_and_failure_is_recorded(store: MlflowClient) -> None:
    with (
        stage_run("main", {"a": 1}) as parent,
        stage_run("train", {}) as child,
        EpochLogger(child.info.run_id) as log,
    ):
        log(3, {"train/loss": 0.5})
        log_json("x.json", {"nan": float("nan"), "rows": [1.0, float("inf")]})
    assert store.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    history = store.get_metric_history(child.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(3, 0.5)]
    assert load_json(child.info.run_id, "x.json") == {"nan": None, "rows": [1.0, None]}
    assert load_json(child.info.run_id, "absent.json") is None
    with pytest.raises(ValueError, match="broken"), stage_run("train", {}) as failed:
        raise ValueError("broken")
    assert store.get_run(failed.info.run_id).info.status == "FAILED"
