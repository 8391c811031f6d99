"""A GPU that was asked for and is not there is an error; only `auto` may do without."""

from collections.abc import Callable
from pathlib import Path

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


def test_row_37_the_cpu_is_never_taken_silently(
    stack: Path,
    entry: Callable[..., int],
    refused: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    small = {"data": stack, "model": "autoencoder", "epochs": 1, "channels": 2}
    assert "device: cuda was asked for" in refused("train", **small, device="cuda")
    assert entry("train", **small) == 0
    assert "trains on cpu in fp32" in capsys.readouterr().err
