"""What a run lacks, what is damaged and what cannot be reached are three things."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from latentlaw.errors import DataError
from latentlaw.tracking.reading.logged import load_json, load_table
from latentlaw.tracking.recording.runs import log_json, log_table, stage_run
from mlflow.tracking import MlflowClient


@pytest.fixture
def run_id(tracking_store: MlflowClient) -> str:
    with stage_run("train", {}) as run:
        log_json("a/b.json", [1])
        log_table("t.parquet", pd.DataFrame({"x": [1]}))
    return str(run.info.run_id)


def test_what_was_logged_is_read_and_what_was_not_is_none(run_id: str) -> None:
    assert load_json(run_id, "a/b.json") == [1]
    table = load_table(run_id, "t.parquet")
    assert table is not None
    assert table["x"].tolist() == [1]
    assert load_json(run_id, "a/c.json") is None
    assert load_table(run_id, "b.json") is None


@pytest.mark.parametrize(("name", "load"), [("a/b.json", load_json), ("t.parquet", load_table)])
def test_damage_is_said(run_id: str, name: str, load: object) -> None:
    path = Path(mlflow.get_run(run_id).info.artifact_uri) / name
    path.write_bytes(path.read_bytes()[:2])
    assert callable(load)
    with pytest.raises(DataError, match=rf"^{name} of run {run_id}: cannot be read \(.*put the"):
        load(run_id, name)


def test_a_store_that_is_gone_is_not_taken_for_one_without_the_artifact(
    run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise mlflow.MlflowException("connection refused")

    monkeypatch.setattr(MlflowClient, "list_artifacts", gone)
    for load in (load_json, load_table):
        with pytest.raises(DataError, match=r"the runs at .* cannot be read \(connection refused"):
            load(run_id, "a/b.json")
