"""Two processes that train together take the steps of one, and stop and skip as one."""

import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from latentlaw.data.particles.loading import ArrayImages, LabelledImages, Particles
from latentlaw.errors import ConfigError, PreemptedError, WorkerError
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.checkpoints import read_checkpoint
from latentlaw.training.config import TrainConfig
from latentlaw.training.keeping import Keeper
from latentlaw.training.loop import fit
from latentlaw.training.ranks import ALONE, Ranks, joined
from latentlaw.training.seeds import seeded_initialisation
from latentlaw.training.state import TrainState
from latentlaw.training.step import take_step

#: Family, augmentation, and whether an image is not a number.
CASES = {
    "autoencoder": ("autoencoder", "none", False),
    "tc-vae": ("tc-vae", "rotate-flip", False),
    "affinity-vae": ("affinity-vae", "rotate", False),
    "one that skips": ("beta-vae", "rotate", True),
}


def particles(n: int, seed: int, *, damaged: bool = False) -> Particles:
    """Noise in two classes, some without one."""
    images = np.random.default_rng(seed).normal(size=(n, 1, 8, 8)).astype(np.float32)
    if damaged:
        images[5] = np.nan
    return Particles(ArrayImages(images), np.arange(n), torch.arange(n) % 3 - 1)


def network(family: str, norm: str = "none") -> AutoEncoder:
    # A bias before a normalisation layer has no gradient but rounding, of which AdamW makes steps.
    with seeded_initialisation(0):
        config = {
            "family": family,
            "image_shape": (1, 8, 8),
            "pose_dims": 2,
            "channels": 4,
            "depth": 1,
            "norm": norm,
        }
        return AutoEncoder(ModelConfig.model_validate(config))


def trained(case: str, ranks: Ranks = ALONE, keeper: Keeper | None = None) -> dict[str, Any]:
    """Train; return weights and metrics of each epoch, apart from speed."""
    family, augmentation, damaged = CASES[case]
    config = TrainConfig.model_validate(
        {
            "epochs": 2,
            "batch_size": 8,
            "samples_per_epoch": 30,  # 8 + 8 + 8 + 6
            "augmentation": augmentation,
            "gamma": 1.0,
            "tc": 0.1,
            "beta": 0.01,
        }
    )
    model, told = network(family), []
    fit(
        model,
        particles(30, 0, damaged=damaged),
        particles(10, 1),
        config,
        affinity=torch.tensor([[1.0, -0.5], [-0.5, 1.0]]) if family == "affinity-vae" else None,
        on_epoch=lambda _, metrics: told.append(metrics),
        keeper=keeper,
        ranks=ranks,
    )
    metrics = [{k: v for k, v in m.items() if not k.startswith("throughput")} for m in told]
    return {"weights": dict(model.state_dict()), "metrics": metrics}


def train_as(rank: int, port: int, folder: Path) -> None:
    """Train every case as one of two processes, then one in which the second is told to stop."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        with joined(torch.device("cpu")) as ranks:
            torch.save({case: trained(case, ranks) for case in CASES}, folder / f"{rank}.pt")
            keeper = Keeper(folder / "kept" if rank == 0 else None)
            keeper.stop.name = "SIGTERM" if rank == 1 else ""
            trained("tc-vae", ranks, keeper)
    except PreemptedError as error:
        (folder / f"{rank}.txt").write_text(str(error))
    if rank == 1:
        with pytest.raises(WorkerError, match="another of the processes"):
            ranks.any(False)  # the first has ended


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that two processes wrote."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "kept").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["latentlaw.training.loop"])
    children = [context.Process(target=train_as, args=(r, port, folder)) for r in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
        assert child.exitcode == 0
    return folder


def outcome(folder: Path, rank: int, case: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = torch.load(folder / f"{rank}.pt")
    return found[case]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_are_as_one(together: Path, case: str) -> None:
    first, second, alone = outcome(together, 0, case), outcome(together, 1, case), trained(case)
    assert first["metrics"] == second["metrics"]
    for name, expected in alone["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], expected, rtol=0, atol=1e-5)
    for found, expected in zip(first["metrics"], alone["metrics"], strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    assert alone["metrics"][-1]["train/skipped"] == (2 if CASES[case][2] else 0)


def test_all_stop_at_the_step_at_which_one_was_told(together: Path, tmp_path: Path) -> None:
    kept = together / "kept"
    messages = [(together / f"{rank}.txt").read_text() for rank in range(2)]
    assert messages == [
        f"another process was stopped: the run was kept; go on with resume={kept}",
        "SIGTERM received: the run was kept; go on with resume",
    ]
    found = read_checkpoint(kept)
    assert found.record.progress.step == 1
    # One process goes on with what two began.
    resumed, alone = trained("tc-vae", keeper=Keeper(tmp_path, found=found)), trained("tc-vae")
    for name, expected in alone["weights"].items():
        torch.testing.assert_close(resumed["weights"][name], expected, rtol=0, atol=1e-5)


def test_layers_that_see_a_part_of_the_batch_are_refused() -> None:
    with pytest.raises(ConfigError, match="norm: found batch and"):
        TrainState.begin(
            network("beta-vae", "batch"),
            particles(8, 0),
            TrainConfig(samples_per_epoch=8),
            Ranks(0, 2),
        )


def test_a_part_that_does_not_fit_is_said_without_tries_that_others_would_wait_for() -> None:
    config = TrainConfig(batch_size=8, samples_per_epoch=8)
    state = TrainState.begin(network("beta-vae"), particles(8, 0), config, Ranks(0, 2))
    tried = []

    def too_large(batch: LabelledImages) -> dict[str, torch.Tensor]:
        tried.append(len(batch))
        raise torch.OutOfMemoryError

    with pytest.raises(ConfigError, match=r"batch_size: 4 images .* one of 2 processes.*smaller"):
        take_step(state, next(iter(state.batches)), too_large, max_skipped=0)
    assert tried == [4]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "two"}, "found WORLD_SIZE='two', expected a number"),
        ({"WORLD_SIZE": "2"}, "found RANK='', expected a number"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR.*start by torchrun"),
    ],
)
def test_variables_of_no_launcher_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message), joined(torch.device("cpu")):
        pass


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"RANK": "2", "WORLD_SIZE": "3", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    message = "found LOCAL_RANK=2 and 2 GPUs, .*--nproc-per-node=2"
    with pytest.raises(ConfigError, match=message), joined(torch.device("cuda")):
        pass
