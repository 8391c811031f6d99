"""`torch.compile`: the same training by other kernels, or one line where none can be made."""

from pathlib import Path

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.training.devices import check_compiler
from latentlaw.training.loop import fit
from torch._dynamo.utils import counters

from tests.training.test_training import QUICK, network, stripes


@pytest.fixture
def no_kernels_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    counters.clear()


@pytest.mark.slow
@pytest.mark.usefixtures("no_kernels_yet")
def test_compiled_training_is_the_same_training() -> None:
    losses = {}
    for compiled in (False, True):
        seen: dict[int, dict[str, float]] = {}
        config = QUICK.model_copy(update={"gamma": 1.0, "compile": compiled})
        data, affinity = stripes(40), torch.eye(2)
        fit(
            network("affinity-vae"),
            data,
            stripes(20, 1),
            config,
            affinity=affinity,
            on_epoch=seen.__setitem__,
        )
        losses[compiled] = [seen[epoch]["val/loss"] for epoch in range(QUICK.epochs)]
        assert (counters["stats"]["unique_graphs"] > 0) == compiled
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


@pytest.mark.usefixtures("no_kernels_yet")
def test_a_machine_without_a_compiler_is_told_before_training() -> None:
    with (
        torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(ConfigError, match=r"compile: .* for cpu here.*use compile=false"),
    ):
        check_compiler(torch.device("cpu"))
