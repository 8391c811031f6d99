"""Alias of a missing version, missing files, a tampered file: refused; the old version stays."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from latentlaw.errors import CheckpointError, LatentlawError, RegistryError
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.recording.runs import configure_tracking
from mlflow.tracking import MlflowClient

from tests.logged_models import bars, trained

Run = Callable[..., int]
Refused = Callable[..., str]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).translate(str.maketrans("[]", "__"))


@pytest.fixture
def data(entry: Run, tmp_path: Path) -> str:
    configure_tracking()
    return bars(tmp_path / "bars.particles.zarr")


@pytest.fixture
def two(entry: Run, data: str, name: str) -> str:
    """A registered model whose version 2 is champion, after version 1."""
    for _ in range(2):
        assert entry("register", run=trained(data), name=name) == 0
    assert champion(name) == "2"
    return name


def champion(name: str) -> str:
    return str(MlflowClient().get_model_version_by_alias(name, "champion").version)


def bundle_folder(model: str) -> Path:
    """Where the model's files lie; what MLflow downloads may be a copy."""
    model_id = mlflow.models.get_model_info(model).model_id
    location = MlflowClient().get_logged_model(model_id).artifact_location
    return Path(location.removeprefix("file://")) / "artifacts" / "bundle"


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def tamper(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)


def point_alias_at(version: int, name: str, folder: Path) -> None:
    """Write what MLflow itself would refuse to."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute(
            "UPDATE registered_model_aliases SET version = ? WHERE name = ? AND alias = ?",
            (version, name, "champion"),
        )


def test_alias_of_a_missing_version(
    two: str, data: str, entry: Run, refused: Refused, tracking_folder: Path
) -> None:
    point_alias_at(9, two, tracking_folder)
    with pytest.raises(LatentlawError, match=r"models:/.*@champion"):
        load_logged_bundle(f"models:/{two}@champion")
    said = refused("register", run=trained(data), name=two)
    assert "@champion: found version 9, which is not there" in said
    assert len(MlflowClient().search_model_versions(f"name = '{two}'")) == 2
    assert entry("rollback", name=two) == 0
    assert champion(two) == "2"


@pytest.mark.parametrize("damage", [remove, tamper])
def test_damaged_champion_stays_until_it_is_rolled_back(
    damage: Callable[[Path], None],
    two: str,
    data: str,
    entry: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(bundle_folder(f"models:/{two}/2"))
    with pytest.raises((CheckpointError, RegistryError)):
        load_logged_bundle(f"models:/{two}@champion")
    capsys.readouterr()
    assert entry("register", run=trained(data), name=two) == 0
    said = capsys.readouterr().err
    assert "version 3 is candidate, not champion" in said
    assert "version 2, which holds it, cannot be compared with" in said
    assert champion(two) == "2"
    assert entry("rollback", name=two) == 0
    assert champion(two) == "1"


@pytest.mark.parametrize("damage", [remove, tamper])
def test_no_way_back_to_a_damaged_version(
    damage: Callable[[Path], None], two: str, refused: Refused
) -> None:
    damage(bundle_folder(f"models:/{two}/1"))
    said = refused("rollback", name=two)
    assert f"version 1 of {two} does not load, so champion stays with version 2" in said
    assert champion(two) == "2"


@pytest.mark.parametrize("damage", [remove, tamper])
def test_damaged_candidate_is_not_registered(
    damage: Callable[[Path], None], two: str, data: str, refused: Refused
) -> None:
    run_id = trained(data)
    damage(bundle_folder(f"runs:/{run_id}/model"))
    refused("register", run=run_id, name=two)
    assert len(MlflowClient().search_model_versions(f"name = '{two}'")) == 2
    assert champion(two) == "2"
