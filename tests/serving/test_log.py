"""What is read back from logged models and runs."""

import tempfile
from pathlib import Path

import pytest
from latentlaw.serving.log import load_example, load_logged_bundle
from latentlaw.tracking.names import SPLIT
from latentlaw.tracking.reading.logged import load_table
from mlflow.tracking import MlflowClient

from tests.logged_models import CLASSES, SHAPE, bars, trained


def test_reading_leaves_nothing_in_the_folder_for_temporary_files(
    tracking_store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's own download leaves a copy there, of each model each time."""
    run_id = trained(bars(tmp_path / "bars.particles.zarr"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert load_logged_bundle(run_id).class_names == CLASSES
    assert load_example(run_id).shape[1:] == SHAPE
    table = load_table(run_id, SPLIT)
    assert table is not None
    assert len(table) == 300
    assert list(scratch.iterdir()) == []
