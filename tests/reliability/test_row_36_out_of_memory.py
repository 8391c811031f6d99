"""A batch that does not fit into the GPU's memory is said, with one that does."""

from pathlib import Path

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.training import loop
from latentlaw.training.checkpoints import read_checkpoint
from latentlaw.training.objective import loss_terms

from tests.reliability.training_runs import train


@pytest.mark.parametrize(("limit", "remedy"), [(3, "use batch_size=2"), (0, "smaller boxes")])
def test_row_36_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, remedy: str
) -> None:
    def small(model: object, batch: torch.Tensor, *rest: object, **keywords: object) -> object:
        if len(batch) > limit:
            raise torch.OutOfMemoryError
        return loss_terms(model, batch, *rest, **keywords)

    monkeypatch.setattr(loop, "loss_terms", small)
    message = rf"batch_size: 8 images of \(1, 8, 8\) do not fit.*{remedy}"
    with pytest.raises(ConfigError, match=message):
        train(tmp_path)
    assert read_checkpoint(tmp_path).record.progress.step == 0
    assert len(list(tmp_path.iterdir())) == 1
