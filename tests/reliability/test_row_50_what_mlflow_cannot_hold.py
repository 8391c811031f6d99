"""What MLflow would cut, change or refuse is encoded, kept whole beside it, and said."""

import math
import os

import mlflow
import pytest
from latentlaw.tracking.names import PARAMS
from latentlaw.tracking.reading.logged import load_json
from latentlaw.tracking.reading.queries import list_runs, loss_history
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import log_metrics, stage_run
from latentlaw.tracking.store.limits import fitting_key
from mlflow.tracking import MlflowClient

LONG = "x," * 4000


@pytest.fixture(autouse=True)
def store(tracking_store: MlflowClient) -> MlflowClient:
    return tracking_store


def test_row_50_parameters(store: MlflowClient, capfd: pytest.CaptureFixture) -> None:
    with stage_run("train", {"short": 1, "long": LONG, "50 % (µ)": "a"}) as run:
        pass
    params = store.get_run(run.info.run_id).data.params
    assert params["short"] == "1"
    assert params["long"].endswith(f"… (8000 characters, whole in {PARAMS})")
    assert params["50 _u0025_ _u0028_µ_u0029_"] == "a"
    assert load_json(run.info.run_id, PARAMS) == {
        "long": {"name": "long", "value": LONG},
        "50 _u0025_ _u0028_µ_u0029_": {"name": "50 % (µ)", "value": "a"},
    }
    assert f"whole in {PARAMS} of the run" in capfd.readouterr().err


def test_row_50_parameter_that_mlflow_run_has_cut(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow.set_experiment(experiment_id="0")
    made = store.create_run("0")
    store.log_param(made.info.run_id, "long", LONG)  # cut, as `mlflow run` does
    monkeypatch.setenv("MLFLOW_RUN_ID", made.info.run_id)
    with stage_run("train", {"long": LONG}):
        pass
    assert load_json(made.info.run_id, PARAMS)["long"]["value"] == LONG


def test_row_50_metrics(store: MlflowClient) -> None:
    with stage_run("train", {}) as run:
        log_metrics({"plus": math.inf, "minus": -math.inf, "nan": math.nan, "f1 (A+B)": 0.5})
        with EpochLogger(run.info.run_id) as log:
            for epoch, loss in enumerate((math.inf, math.nan, 1.5)):
                log(epoch, {"train/loss": loss, "../val*": 1.0})
    uri = os.environ["MLFLOW_TRACKING_URI"]
    row = list_runs(uri).set_index("run_id").loc[run.info.run_id]
    assert row["metrics.plus"] == math.inf
    assert row["metrics.minus"] == -math.inf
    assert math.isnan(row["metrics.nan"])
    assert row["metrics.f1 _u0028_A_u002b_B_u0029_"] == 0.5
    assert row["metrics._u002e__u002e__u002f_val_u002a_"] == 1.0
    losses = loss_history(uri, run.info.run_id)["value"].tolist()
    assert losses[0] == math.inf
    assert math.isnan(losses[1])
    assert losses[2] == 1.5


@pytest.mark.parametrize(
    "name", ["a b/c-d.e_f:g", "../x", "/x", "a//b", ".", "a*", "ü" * 400, "\n", "a/./b", "", "🙂"]
)
def test_row_50_any_name_is_taken(store: MlflowClient, name: str) -> None:
    run_id = store.create_run("0").info.run_id
    key = fitting_key(name)
    store.log_param(run_id, key, "v")
    store.log_metric(run_id, key, 1.0)
    assert store.get_run(run_id).data.params == {key: "v"}
    assert mlflow.get_run(run_id).data.metrics == {key: 1.0}
    assert (key == name) == (name == "a b/c-d.e_f:g")


def test_row_50_long_names_that_start_alike_stay_apart() -> None:
    assert fitting_key("a" * 300) != fitting_key("a" * 301)
