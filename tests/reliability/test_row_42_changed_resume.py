"""A run goes on with the configuration, data and code it began with, or says what changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.writer import grown_stack
from latentlaw.errors import ResumeError
from latentlaw.tracking.names import TAG_CHANGED
from latentlaw.training import identity
from latentlaw.training.identity import check_identity, identify
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import only_run


def made(*, lr: float = 1e-3, digest: str = "a" * 64, diagonal: float = 1.0) -> dict[str, object]:
    return identify(
        settings={"train": {"learning_rate": lr, "sizes": (1, 2)}, "model": {"depth": 2}},
        data_digest=digest,
        affinity=torch.eye(2) * diagonal,
        device="cpu",
    )


def test_row_42_changed_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    then = made()
    assert check_identity(then, made(), allow=False) == []
    monkeypatch.setattr(identity, "code_version", lambda: "2.0")
    now = made(lr=0.01, digest="b" * 64, diagonal=0.5)
    with pytest.raises(ResumeError, match=r"4 differences.*0\.001 -> 0\.01.*allow_change=true"):
        check_identity(then, now, allow=False)
    changed = check_identity(then, now, allow=True)
    assert [line.split(":")[0] for line in changed] == [
        "affinity.digest",
        "code.latentlaw",
        "data.digest",
        "train.learning_rate",
    ]


def test_row_42_changes_that_are_allowed_are_logged(
    tmp_path: Path,
    stack: Path,
    tracking_folder: Path,
    entry: Callable[..., int],
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "kept"
    own = {"data": stack, "model": "beta-vae", "channels": 2, "device": "cpu"}
    assert entry("train", **own, epochs=1, checkpoints=kept) == 0
    with grown_stack(stack, item_shape=(1, 8, 8)) as writer:
        two = pd.DataFrame({"particle_id": ["c", "d"], "label": ["a", "b"], "group": ["c", "d"]})
        writer.append(np.ones((2, 1, 8, 8)), two)
    monkeypatch.setattr(identity, "code_version", lambda: "2.0")
    changed = ("code.latentlaw: ", "data.digest: ", "train.epochs: 1 -> 2")
    said = refused("train", **own, epochs=2, resume=kept)
    for each in changed:
        assert each in said
    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    assert TAG_CHANGED not in only_run(client, stack).data.tags
    assert entry("train", **own, epochs=2, resume=kept, allow_change=True) == 0
    logged = only_run(client, stack).data.tags[TAG_CHANGED]
    for each in changed:
        assert each in logged
