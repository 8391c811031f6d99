"""A batch larger than the data is the data; a last batch of one image is left out."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.training.state import TrainState

from tests.reliability.training_runs import CONFIG, network, particles, train


@pytest.mark.parametrize(
    ("batch_size", "samples", "lengths"), [(500, 40, [40]), (13, 40, [13, 13, 13])]
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
