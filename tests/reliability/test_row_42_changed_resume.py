"""A run goes on with the configuration, data and code it began with, or says what changed."""

import pytest
import torch
from latentlaw.errors import ResumeError
from latentlaw.training import identity
from latentlaw.training.identity import check_identity, identify


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
