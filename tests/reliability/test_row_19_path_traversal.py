"""Names in inputs cannot lead out of where they belong."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.collection.collect import collect_particles
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError
from latentlaw.tracking.reading.artifacts import Missing, load_artifact_json
from mlflow.tracking import MlflowClient


@pytest.mark.parametrize("name", ["../s0", "/etc", "a/../../s0", ".."])
def test_row_19_array_names(store: Path, tmp_path: Path, name: str) -> None:
    metadata = store / "zarr.json"
    content = json.loads(metadata.read_text())
    content["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = name
    metadata.write_text(json.dumps(content))
    with pytest.raises(DataError, match="leaves the store"):
        open_tomogram(store)
    failures = ingest_tomograms(store, tmp_path / "out", scheduler="threads").failures
    assert "leaves the store" in failures[0]


@pytest.mark.parametrize("name", ["../secret.npy", "{absolute}"])
def test_row_19_file_names_of_labels(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.npy"
    np.save(secret, np.ones((8, 8)))
    folder = tmp_path / "images"
    folder.mkdir()
    listed = name.format(absolute=secret)
    (folder / "labels.csv").write_text(f"file,label\n{listed},a\n")
    with pytest.raises(DataError, match=r"leaves the folder"):
        collect_particles(folder, tmp_path / "out.particles.zarr")


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", ".."])
def test_row_19_ids_of_runs_in_an_address(
    tracking_store: MlflowClient, tmp_path: Path, name: str
) -> None:
    (tmp_path / "x.json").write_text("{}")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert load_artifact_json(uri, name, "x.json") == Missing(name, "x.json", "absent")


@pytest.mark.parametrize(
    ("entry_name", "options"),
    [
        ("tune", {"data": "s", "study": "../x"}),
        ("register", {"run": "0" * 32, "name": "/x"}),
        ("rollback", {"name": "a/../b"}),
    ],
)
def test_row_19_names_of_studies_and_models(
    refused: Callable[..., str], entry_name: str, options: dict[str, object]
) -> None:
    field = list(options)[-1]
    assert f"parameter {field!r}: String should match pattern" in refused(entry_name, **options)
