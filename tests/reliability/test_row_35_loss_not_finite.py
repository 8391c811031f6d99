"""Steps whose loss is not finite change nothing; too many of them stop the run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from latentlaw.errors import DataError
from latentlaw.training import loop
from latentlaw.training.checkpoints import read_checkpoint
from latentlaw.training.objective import loss_terms
from latentlaw.training.state import TrainState, weights_of
from latentlaw.training.step import take_step
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import CONFIG, network, only_run, particles, train


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_row_35_loss_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    calls = 0

    def spoiled(*arguments: object, **keywords: object) -> dict[str, torch.Tensor]:
        nonlocal calls
        terms = loss_terms(*arguments, **keywords)
        calls += torch.is_grad_enabled()
        bad = torch.is_grad_enabled() and (calls in (2, 4) or calls > 8)
        return terms | {"loss": terms["loss"] * value} if bad else terms

    monkeypatch.setattr(loop, "loss_terms", spoiled)
    config = CONFIG.model_copy(update={"max_skipped": 4})
    with pytest.raises(DataError, match="not finite in 5 steps"):
        train(tmp_path, config=config)
    kept = read_checkpoint(tmp_path)
    assert kept.record.progress.skipped == 4
    assert kept.record.progress.step == 6
    assert kept.record.progress.history[0]["train/skipped"] == 2
    assert all(bool(torch.isfinite(each).all()) for each in kept.tensors.values())


def test_row_35_the_run_has_failed(
    tmp_path: Path,
    stack: Path,
    tracking_folder: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = 0

    def spoiled(*arguments: object, **keywords: object) -> dict[str, torch.Tensor]:
        nonlocal steps
        terms = loss_terms(*arguments, **keywords)
        steps += torch.is_grad_enabled()
        return terms | {"loss": terms["loss"] * torch.nan} if steps > 3 else terms

    monkeypatch.setattr(loop, "loss_terms", spoiled)
    own = {"model": "beta-vae", "epochs": 50, "channels": 2, "device": "cpu"}
    kept = tmp_path / "kept"
    said = refused("train", data=stack, **own, checkpoints=kept, checkpoint_every=0)
    assert "lower learning_rate" in said
    assert "Traceback" not in said
    run = only_run(MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db"), stack)
    assert run.info.status == "FAILED"
    assert read_checkpoint(kept).record.progress.step == 3


def test_row_35_a_step_that_is_skipped_changes_nothing() -> None:
    state = TrainState.begin(network(), particles(40, 0), CONFIG)
    state.model.train()  # so that a forward pass moves the averages of its batch normalisation
    before = weights_of(state.model)
    (batch, *_) = state.batches
    take_step(
        state,
        batch,
        lambda images: {"loss": state.model.encode(images.images).mu.sum() * torch.nan},
        max_skipped=4,
    )
    after = weights_of(state.model)
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert state.optimiser.state_dict()["state"] == {}
    assert (state.progress.step, state.progress.skipped) == (0, 1)
