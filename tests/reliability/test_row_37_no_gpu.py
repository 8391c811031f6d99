"""A GPU that was asked for and is not there is an error; only `auto` may do without."""

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.training.devices import pick_device, pick_precision


def test_row_37_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"device: cuda was asked for.*device=cpu"):
        pick_device("cuda")
    for name in ("auto", "cpu"):
        assert pick_device(name) == torch.device("cpu")
    assert pick_precision("auto", torch.device("cpu")) == "fp32"
