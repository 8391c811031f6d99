"""A batch larger than the data is the data; a last batch of one image is left out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from latentlaw.losses.affinity import UNLABELLED, affinity_loss
from latentlaw.training.state import TrainState

from tests.reliability.training_runs import CONFIG, network, particles, train


@pytest.mark.parametrize(
    ("batch_size", "samples", "lengths"),
    # Of 12 to validate on, the last batch of 11 is a single one.
    [(500, 100, [40, 40, 20]), (13, 40, [13, 13, 13]), (11, 40, [11, 11, 11, 7])],
)
def test_row_31_batch_sizes(
    tmp_path: Path, batch_size: int, samples: int, lengths: list[int]
) -> None:
    config = CONFIG.model_copy(
        update={"batch_size": batch_size, "samples_per_epoch": samples, "epochs": 2}
    )
    state = TrainState.begin(network(), particles(40, 0), config)
    assert [len(batch) for batch in state.batches] == lengths
    metrics = train(tmp_path, config=config)["metrics"]
    assert all(np.isfinite(list(epoch.values())).all() for epoch in metrics)
    assert metrics[0]["train/affinity"] > 0


@pytest.mark.parametrize("labels", [[], [0], [UNLABELLED] * 3, [UNLABELLED, 1, UNLABELLED]])
def test_row_31_without_a_pair_there_is_no_loss(labels: list[int]) -> None:
    mu = torch.ones(len(labels), 4, requires_grad=True)
    loss = affinity_loss(mu, torch.tensor(labels, dtype=torch.long), torch.eye(2))
    loss.backward()
    assert loss == 0
    assert mu.grad is not None
    assert (mu.grad == 0).all()
