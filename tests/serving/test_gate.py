"""The gate: both models on the same held-out particles, or no move."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
from latentlaw.data.particles.splits import split_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError, RegistryError
from latentlaw.serving.promotion.gate import judge, measured
from latentlaw.tracking.names import TAG_TRAINED_BY
from latentlaw.tracking.reading.splits import load_split, split_of
from latentlaw.tracking.recording.registry import add_version
from latentlaw.tracking.recording.runs import log_data, stage_run
from mlflow.tracking import MlflowClient

from tests.logged_models import bars, trained

pytestmark = pytest.mark.usefixtures("tracking_store")

MARGIN = 0.02


@pytest.fixture
def data(tmp_path: Path) -> str:
    return bars(tmp_path / "bars.particles.zarr")


def version(run_id: str) -> str:
    return f"models:/m/{add_version(run_id, 'm', {})}"


def test_first_version_moves_with_what_was_measured(data: str) -> None:
    found = measured(trained(data))
    test = split_particles(open_stack(data).table, seed=0) == "test"
    assert found.rows.tolist() == np.flatnonzero(test).tolist()
    verdict = judge(found, None, "accuracy", MARGIN)
    value = found.score("accuracy").value
    assert verdict.promoted
    assert f"no version held it; accuracy {value} on 60 particles of 6 groups" in verdict.reason


def test_alias_moves_to_what_is_better_and_stays_with_what_is_not(data: str) -> None:
    good, poor = trained(data), trained(data, wrong=1.0)
    up = judge(measured(good), version(poor), "macro_f1", MARGIN)
    assert up.promoted, up.reason
    down = judge(measured(poor), version(good), "macro_f1", MARGIN)
    assert not down.promoted
    assert "of version 2 on 60 particles" in down.reason
    assert "that neither was trained on" in down.reason
    assert down.reason.endswith("so it is worse")
    same = judge(measured(good), version(good), "macro_f1", 0.0)
    assert same.promoted, same.reason


def test_a_little_evidence_does_not_move_the_alias(tmp_path: Path) -> None:
    data = bars(tmp_path / "noisy.particles.zarr", noise=1.5)
    first, second = trained(data, seed=1), trained(data, seed=2)
    found = measured(first)
    verdict = judge(found, version(second), "accuracy", MARGIN)
    assert not verdict.promoted
    assert "may be worse by more than the margin of 0.02" in verdict.reason
    assert judge(found, version(second), "accuracy", 0.9).promoted


def test_particles_that_either_was_trained_on_do_not_count(data: str, tmp_path: Path) -> None:
    old = version(trained(data))
    bars(tmp_path / "bars.particles.zarr", n=600, groups=60, seed=1, grow=True)
    grown = open_stack(data)
    known = split_of(old, grown)
    assert known.saw == "before"
    assert (known.split[300:] == "test").all()
    new = measured(trained(data))
    verdict = judge(new, old, "accuracy", MARGIN)
    test = known.split == "test"
    common = int((test & (load_split(new.candidate.run.info.run_id, grown) == "test")).sum())
    assert 120 <= common < len(new.rows)
    assert f"on {common} particles" in verdict.reason
    assert "version 1 was trained on this stack before it was changed" in verdict.reason


def test_a_stack_that_a_model_never_saw_is_held_out_as_a_whole(data: str, tmp_path: Path) -> None:
    old = version(trained(data))
    other = bars(tmp_path / "other.particles.zarr", seed=3)
    run_id = trained(other)
    verdict = judge(measured(run_id), old, "accuracy", MARGIN)
    assert "on 60 particles" in verdict.reason
    assert "; version 1 never saw this stack" in verdict.reason
    third = bars(tmp_path / "third.particles.zarr", seed=4)
    assert (
        "on 300 particles of 30 groups"
        in judge(measured(run_id, third), old, "accuracy", 1).reason
    )


def test_other_classes_do_not_compare(data: str) -> None:
    old = version(trained(data))
    named = bars(Path(data).parent / "named.particles.zarr", seed=5)
    table = open_stack(named).table
    table["label"] = table["label"].replace("lying", "prone")
    table.to_parquet(f"{named}/particles.parquet")
    verdict = judge(measured(trained(named, names=("prone", "standing"))), old, "accuracy", MARGIN)
    assert not verdict.promoted
    assert "prone of the candidate alone; lying of version 1 alone" in verdict.reason


def test_few_particles_do_not_compare(tmp_path: Path) -> None:
    small = bars(tmp_path / "small.particles.zarr", n=100, groups=10)
    run_id = trained(small)
    verdict = judge(measured(run_id), version(run_id), "accuracy", MARGIN)
    assert not verdict.promoted
    assert "found 20 particles that neither" in verdict.reason
    assert "expected at least 50" in verdict.reason


def test_stack_that_is_gone_or_changed_is_refused(data: str, tmp_path: Path) -> None:
    run_id = trained(data)
    bars(tmp_path / "bars.particles.zarr", n=10, groups=5, seed=1, grow=True)
    with pytest.raises(DataError, match=r"changed since; .* say so by `data="):
        measured(run_id)
    assert len(measured(run_id, data).rows) == 70
    shutil.rmtree(data)
    with pytest.raises(DataError, match=r"cannot be opened .* give another by `data`"):
        measured(run_id)
    with stage_run("train", {}) as run:
        pass
    with pytest.raises(DataError, match="no particle stack among its inputs"):
        measured(run.info.run_id)
    with pytest.raises(RegistryError, match="no such model or run"):
        measured("0" * 32)


def test_split_that_is_gone_is_never_taken_for_untouched(data: str) -> None:
    run_id = trained(data)
    artifacts = Path(mlflow.get_run(run_id).info.artifact_uri)
    (artifacts / "split.parquet").unlink()
    with pytest.raises(DataError, match=r"split\.parquet of run .* gone"):
        measured(run_id)
    with pytest.raises(DataError, match="gone"):
        load_split(run_id, open_stack(data))


def test_box_that_does_not_fit_is_refused(data: str, tmp_path: Path) -> None:
    from latentlaw.data.particles.writer import new_stack

    path = tmp_path / "large.particles.zarr"
    rows = open_stack(data).table.iloc[:2]
    with new_stack(path, item_shape=(1, 16, 16)) as writer:
        writer.append(np.zeros((2, 1, 16, 16), dtype=np.float32), rows)
    with pytest.raises(DataError, match=r"shape \(1, 16, 16\), expected the model's \(1, 8, 8\)"):
        measured(trained(data), str(path))


def test_model_of_equations_was_trained_on_what_its_network_was(data: str) -> None:
    run_id = trained(data)
    stack = open_stack(data)
    with stage_run("discover", {"model": "models:/m@champion"}) as run:
        log_data(data, stack.digest, stack.table, "discovery")
    with pytest.raises(RegistryError, match=TAG_TRAINED_BY):
        load_split(run.info.run_id, stack)  # who knows what the alias named then
    MlflowClient().set_tag(run.info.run_id, TAG_TRAINED_BY, run_id)
    assert (load_split(run.info.run_id, stack) == load_split(run_id, stack)).all()
