"""`doctor` says what works and what is broken, and ends with 2 if anything is."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.serving.log import log_bundle
from latentlaw.tracking.names import TAG_PROCESS
from latentlaw.tracking.recording.runs import log_data, stage_run
from mlflow.tracking import MlflowClient

from pipelines.steps.findings import tracking
from tests.bundles import tiny_bundle


@pytest.fixture
def doctor(
    entry: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    def run(**parameters: object) -> tuple[int, str]:
        capsys.readouterr()
        code = entry("doctor", data=tmp_path, **parameters)
        return code, capsys.readouterr().err

    return run


def stack(path: Path) -> Path:
    with new_stack(path, item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a"] * 4, "group": ["g"] * 4})
        writer.append(np.ones((4, 1, 8, 8), dtype=np.float32), table)
    return path


def test_what_works_is_said(doctor: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = stack(tmp_path / "s.particles.zarr")
    with stage_run("train", {}):
        pass  # makes the store
    code, told = doctor()
    assert code == 0
    for line in ("works   Python 3.", "tracking store: answers", f"works   {path}: whole"):
        assert line in told
    assert "lacks   GPU" in told or "works   GPU" in told
    assert "engine=operon" in told
    assert "engine=pysr" in told


def test_damaged_chunk_is_found_where_every_chunk_is_read(
    doctor: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    path = stack(tmp_path / "s.particles.zarr")
    chunk = path / "images" / "c.0.0.0.0"
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 2] ^= 1
    chunk.write_bytes(raw)
    assert doctor()[0] == 0
    code, told = doctor(deep=True)
    assert code == 2
    assert f"broken  {path}: found 1 damaged" in told


def test_changed_model_is_found(
    doctor: Callable[..., tuple[int, str]], tracking_folder: Path
) -> None:
    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    with stage_run("train", {}):
        uri = log_bundle(tiny_bundle(), np.zeros((1, 1, 8, 8, 8), dtype=np.float32))
    version = mlflow.register_model(uri, "damaged").version
    client.set_registered_model_alias("damaged", "champion", version)
    assert "works   models:/damaged@champion: loads" in doctor()[1]
    (folder,) = tracking_folder.rglob(uri.rsplit("/", 1)[-1])
    (head,) = folder.rglob("head.json")
    head.write_text(head.read_text() + " ")
    try:
        code, told = doctor()
    finally:
        client.delete_registered_model("damaged")
    assert code == 2
    assert "broken  models:/damaged@champion:" in told
    assert "head.json: found SHA-256" in told


def test_run_of_a_dead_process_is_left_where_nothing_is_to_be_mended(
    doctor: Callable[..., tuple[int, str]], tracking_folder: Path
) -> None:
    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    dead = client.create_run("0", tags={TAG_PROCESS: f"{os.uname().nodename}:1:0.0"}).info.run_id
    code, told = doctor(mend=False)
    assert code == 2
    assert f"broken  run {dead}: its process is dead; mark it KILLED by mend=true" in told
    assert client.get_run(dead).info.status == "RUNNING"
    assert doctor()[0] == 0
    assert client.get_run(dead).info.status == "KILLED"


def test_lost_model_and_lost_stack_are_told(
    doctor: Callable[..., tuple[int, str]], tracking_store: MlflowClient, tmp_path: Path
) -> None:
    path = tmp_path / "s.particles.zarr"
    opened = open_stack(stack(path))
    example = np.zeros((1, 1, 8, 8, 8), dtype=np.float32)
    with stage_run("train", {}) as lost:
        gone = log_bundle(tiny_bundle(), example)
    with stage_run("train", {}):
        log_data(str(path), opened.digest, opened.table, "training")
        uri = log_bundle(tiny_bundle(), example)
    version = mlflow.register_model(uri, "m").version
    tracking_store.set_registered_model_alias("m", "champion", version)
    code, told = doctor()
    assert code == 0
    assert "gone" not in told
    assert "not there" not in told
    shutil.rmtree(path)
    (folder,) = tmp_path.rglob(gone.rsplit("/", 1)[-1])
    shutil.rmtree(folder)
    code, told = doctor()
    assert code == 0  # models that are served are whole
    assert f"lacks   run {lost.info.run_id}: the files of its model are gone" in told
    assert f"`mlflow runs delete --run-id {lost.info.run_id}`" in told
    assert "works   models:/m@champion: loads" in told
    assert f"lacks   {path}: the stack that a registered model was trained on" in told


@pytest.mark.parametrize(
    ("uri", "state", "told"),
    [
        ("http://127.0.0.1:9", "broken", "no MLflow server answers at http://127.0.0.1:9"),
        ("mssql://u:secret@127.0.0.1:9/x", "broken", "needs a driver that is not installed"),
        ("sqlite:///text.db", "broken", "file is not a database); start the tracking server, or"),
        ("sqlite:///absent.db", "lacks", "no sqlite:///absent.db yet; the first run makes it"),
    ],
)
def test_store_that_is_not_there_is_one_line_at_once(
    tracking_store: MlflowClient,
    tmp_path: Path,
    uri: str,
    state: str,
    told: str,
) -> None:
    (tmp_path / "text.db").write_text("no database" * 99)
    mlflow.set_tracking_uri(uri)
    (finding,) = tracking(uri, mend=True)
    assert finding.state == state
    assert told in str(finding)
    assert "secret" not in str(finding)
    assert not (tmp_path / "absent.db").exists()


def test_database_that_is_locked_or_of_another_mlflow_is_told_with_the_way_out(
    tracking_store: MlflowClient, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db?timeout=0.1"
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("BEGIN EXCLUSIVE")
        mlflow.set_tracking_uri(uri)
        (finding,) = tracking(uri, mend=True)
        database.rollback()
    assert "database is locked); another process writes to it" in str(finding)
    with sqlite3.connect(tmp_path / "old.db") as database:
        with sqlite3.connect(tmp_path / "mlflow.db") as source:
            source.backup(database)
        database.execute("UPDATE alembic_version SET version_num = '0584bdc529eb'")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/old.db")
    (finding,) = tracking(f"sqlite:///{tmp_path}/old.db", mend=True)
    assert "another version of MLflow made it" in str(finding)
    assert "mlflow db upgrade" in str(finding)
