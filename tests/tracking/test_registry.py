"""The gate of the registry, and what a stage's run records, on a tracking store of their own."""

import numpy as np
import pytest
from latentlaw.errors import RegistryError
from latentlaw.evaluation.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle, log_bundle
from latentlaw.tracking.epochs import EpochLogger
from latentlaw.tracking.registry import register_run
from latentlaw.tracking.runs import (
    load_json,
    log_json,
    log_metrics,
    source_run,
    stage_run,
    tag_run,
)
from mlflow.tracking import MlflowClient

METRIC = "discovery/equation_accuracy"


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


def discovered(bundle: Bundle, accuracy: float, digest: str = "d1") -> str:
    with stage_run("discover", {}) as run:
        log_bundle(bundle, np.zeros((1, 1, 8, 8), dtype=np.float32))
        log_metrics({METRIC: accuracy})
        tag_run(data_digest=digest)
        return str(run.info.run_id)


def champion(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias("m", "champion").version)


def test_alias_moves_only_to_a_model_that_is_not_worse(
    bundle: Bundle, store: MlflowClient
) -> None:
    assert register_run(discovered(bundle, 0.8), "m", "champion").promoted
    worse = register_run(discovered(bundle, 0.7), "m", "champion")
    assert not worse.promoted
    assert "0.700 is below 0.800 of version 1" in worse.reason
    assert champion(store) == "1"
    elsewhere = register_run(discovered(bundle, 0.9, "d2"), "m", "champion")
    assert not elsewhere.promoted
    assert "other data" in elsewhere.reason
    assert register_run(discovered(bundle, 0.8), "m", "champion").promoted
    assert champion(store) == "4"
    assert str(store.get_model_version_by_alias("m", "candidate").version) == "4"


def test_run_without_a_measure_or_model_is_refused(bundle: Bundle) -> None:
    with pytest.raises(RegistryError, match="no such run"):
        register_run("0" * 32, "m", "champion")
    with stage_run("discover", {}) as run:
        pass
    with pytest.raises(RegistryError, match="no held-out measure"):
        register_run(run.info.run_id, "m", "champion")


def test_logged_bundle_loads_by_run_and_by_uri(bundle: Bundle) -> None:
    run_id = discovered(bundle, 0.8)
    register_run(run_id, "m", "champion")
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
