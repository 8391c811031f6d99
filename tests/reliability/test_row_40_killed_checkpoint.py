"""A process killed anywhere in the writing of a checkpoint leaves the one before it."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from latentlaw.training import checkpoints
from latentlaw.training.checkpoints import (
    Checkpoint,
    Progress,
    Record,
    checkpoint_folder,
    read_checkpoint,
    write_checkpoint,
)


def checkpoint(step: int) -> Checkpoint:
    record = Record(progress=Progress(step=step), batches={"seed": 0, "epoch": 0, "taken": step})
    return Checkpoint(record, {"model/w": torch.full((3,), float(step))})


def killed_at(moment: int, write: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Write in a child that is killed at its system call of number `moment`; tell if it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    calls = 0

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object, **keywords: object) -> object:
            nonlocal calls
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1
            return call(*arguments, **keywords)

        return wrapper

    for holder, name in [
        (Path, "mkdir"),
        (Path, "open"),
        (Path, "rename"),
        (checkpoints.os, "fsync"),
        (checkpoints, "remove"),
    ]:
        monkeypatch.setattr(holder, name, counted(getattr(holder, name)))
    write()
    os._exit(0)


def test_row_40_killed_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survived = set()
    moment = 0
    while True:
        folder = tmp_path / str(moment)
        folder.mkdir()
        for step in (1, 2):
            write_checkpoint(folder, checkpoint(step))
        if not killed_at(moment, partial(write_checkpoint, folder, checkpoint(3)), monkeypatch):
            break
        step = read_checkpoint(folder).record.progress.step
        survived.add(step)
        with checkpoint_folder(folder):
            assert not list(folder.glob(".*"))
            write_checkpoint(folder, checkpoint(4))
        assert read_checkpoint(folder).part("model")["w"].tolist() == [4.0] * 3
        assert len(list(folder.iterdir())) == 2
        moment += 1
    assert moment >= 8
    assert survived == {2, 3}
