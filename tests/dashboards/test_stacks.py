"""The particles behind a run: found, checked, pictured and written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.star.reading import read_star

from dashboards.panels.members import star_bytes
from dashboards.reading import stacks
from tests.dashboards.dashboard_store import CLASSES, EACH, STACK, Store, write_stack


def test_a_stack_is_found_from_the_store_of_runs(
    full_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", full_store.uri)
    run = pd.Series({"params.data": STACK, "data_digest": full_store.digest})
    stack = stacks.stack_of(run)
    assert not isinstance(stack, str)
    assert len(stack) == EACH * len(CLASSES)
    assert "not a particle stack" in str(stacks.stack_of(pd.Series({**run, "params.data": "no"})))
    assert "has changed" in str(stacks.stack_of(pd.Series({**run, "data_digest": "other"})))
    assert "does not say" in str(stacks.stack_of(run.drop("params.data")))
    assert stacks.locate("s3://bucket/a") == "s3://bucket/a"
    assert stacks.locate(str(tmp_path)) == str(tmp_path)


def test_rows_are_found_by_id_whatever_the_order(tmp_path: Path) -> None:
    stack = write_stack(tmp_path / "a.particles.zarr", CLASSES)
    ids = stack.table["particle_id"]
    assert stacks.rows_of(stack, ids.iloc[[5, 9]]).tolist() == [5, 9]
    shuffled = pd.Series([ids[7], "unknown", ids[2]], index=[0, 1, 2])
    assert stacks.rows_of(stack, shuffled).tolist() == [7, 2]


def test_the_mean_is_that_of_the_particles_and_spread_takes_both_ends(tmp_path: Path) -> None:
    stack = write_stack(tmp_path / "a.particles.zarr", CLASSES)
    rows = stacks.spread(np.arange(100, 200), 5)
    assert (rows[0], rows[-1], len(rows)) == (100, 199, 5)
    np.testing.assert_allclose(
        stacks.mean_of(stack, stack.digest, rows), stack.read(np.array(rows)).mean(axis=0)
    )


def test_members_are_a_star_file_that_reads_back(tmp_path: Path) -> None:
    stack = write_stack(tmp_path / "a.particles.zarr", CLASSES)
    rows = np.array([3, 200])
    content = star_bytes(stack, rows, {"novelty": pd.Series([0.1, 0.9])})
    assert b"latentlawNovelty" in content
    (tmp_path / "m.star").write_bytes(content)
    back = read_star(tmp_path / "m.star")
    assert back["label"].tolist() == stack.table["label"].iloc[rows].tolist()
    np.testing.assert_allclose(back[["z", "y", "x"]], stack.table[["z", "y", "x"]].iloc[rows])
