"""Checkpoints that are whole or absent: tensors, JSON and the digest of each, never a pickle.

A checkpoint is a folder that is written beside its name and renamed, so a process that is killed
while writing leaves the one before. The two newest are kept.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from latentlaw.data.storage.locks import locked
from latentlaw.data.storage.output import remove
from latentlaw.errors import CheckpointError

_TENSORS, _RECORD, _DIGESTS = "tensors.safetensors", "record.json", "digests.json"
_KEPT = 2


class Progress(BaseModel):
    """How far a run has come.

    Attributes
    ----------
    epoch, step
        Epochs and optimiser steps that are done.
    count
        Images that the sums of the current epoch are over.
    skipped
        Steps left out because their loss or gradient was not finite.
    best_epoch, best_loss
        Of validation; None before the first.
    history
        Metrics of each epoch that is done.
    """

    model_config = ConfigDict(extra="forbid")

    epoch: int = 0
    step: int = 0
    count: int = 0
    skipped: int = 0
    best_epoch: int = -1
    best_loss: float | None = None
    history: list[dict[str, float]] = Field(default_factory=list)


class Record(BaseModel):
    """What a checkpoint holds besides tensors.

    Attributes
    ----------
    identity
        What the run was made of, by `identity.identify`.
    run_id
        The tracked run, if there is one.
    batches, scaler
        States of the shuffled batches and of the gradient scaler.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    identity: dict[str, Any] = Field(default_factory=dict)
    run_id: str | None = None
    progress: Progress
    batches: dict[str, int]
    scaler: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes
    ----------
    tensors
        By `part/name`, of the shapes that the parts give them.
    path
        Where it was read from; None if it was not.
    """

    record: Record
    tensors: Mapping[str, Tensor]
    path: Path | None = None

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a part by their names in it, of the shapes that it gives them."""
        start = f"{name}/"
        found = self.tensors.items()
        return {key.removeprefix(start): each for key, each in found if key.startswith(start)}


@contextmanager
def checkpoint_folder(folder: Path) -> Iterator[Path]:
    """Hold `folder` for one writer, and clear what a killed one left half written.

    Raises
    ------
    CheckpointError
        If the folder cannot be made.
    ConfigError
        If another process writes to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: cannot be made ({error.strerror}); choose other `checkpoints`"
        ) from error
    with locked(folder):
        for partial in folder.glob(".*.partial"):
            remove(partial)
        yield folder


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Add a checkpoint to `folder`, then drop all but the two newest.

    Raises
    ------
    CheckpointError
        If it cannot be written; those that are there stay.
    """
    there = _numbered(folder)
    final = folder / f"{int(there[-1].name) + 1 if there else 0:08d}"
    partial = folder / f".{final.name}.partial"
    tensors = {k: v.detach().cpu().contiguous() for k, v in checkpoint.tensors.items()}
    files = {_TENSORS: save(tensors), _RECORD: checkpoint.record.model_dump_json().encode()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[_DIGESTS] = json.dumps(digests, indent=1).encode()
    try:
        partial.mkdir()
        for name, content in files.items():
            _write(partial / name, content)
        partial.rename(final)
        _sync(folder)
    except OSError as error:
        remove(partial)
        raise CheckpointError(
            f"{folder}: a checkpoint could not be written ({error.strerror}); those before it "
            f"are whole: mend that, and go on with resume={folder}"
        ) from error
    for old in there[: 1 - _KEPT]:
        remove(old)
    return final


def read_checkpoint(folder: Path, *, fall_back: bool = False) -> Checkpoint:
    """Read the newest checkpoint of `folder`.

    Parameters
    ----------
    folder
        Of a run's checkpoints.
    fall_back
        Take the one before where the newest is damaged.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise CheckpointError(
            f"resume: {folder}: found {found}, expected a folder of checkpoints, as a run's "
            "`checkpoints/`; pickled files are never loaded"
        )
    there = _numbered(folder)
    if not there:
        raise CheckpointError(f"resume: {folder}: found no checkpoint; train without resume")
    try:
        return _read(there[-1])
    except CheckpointError as error:
        if len(there) < _KEPT:
            raise
        if fall_back:
            return _read(there[-2])
        raise CheckpointError(f"{error}; allow_fallback=true takes {there[-2].name}") from error


def forget_after(path: Path) -> list[Path]:
    """Remove the checkpoints beside `path` that are newer, and return what they were.

    A run that goes on from `path` has not got so far; left there, they would outlive it as the
    two newest.
    """
    newer = [each for each in _numbered(path.parent) if each.name > path.name]
    for each in newer:
        remove(each)
    return newer


def _read(path: Path) -> Checkpoint:
    """Read one checkpoint after checking the digest of each file."""
    try:
        digests: dict[str, str] = json.loads((path / _DIGESTS).read_bytes())
        files = {name: (path / name).read_bytes() for name in (_TENSORS, _RECORD)}
        for name, content in files.items():
            found = hashlib.sha256(content).hexdigest()
            if found != digests[name]:
                raise CheckpointError(
                    f"{path / name}: found SHA-256 {found[:12]}… of {len(content)} bytes, "
                    f"expected {digests[name][:12]}…: the file was changed or damaged; resume "
                    "from an earlier one"
                )
        record = Record.model_validate_json(files[_RECORD])
        return Checkpoint(record, load(files[_TENSORS]), path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path / _TENSORS}: not safetensors ({error}); nothing else is ever loaded"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(
            f"{path}: not a whole checkpoint ({error}); resume from an earlier one"
        ) from error


def _numbered(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.isdecimal())


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a rename last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def same_layout(saved: Tensor, like: Tensor) -> Tensor:
    """Return `saved`, of the shape of `like`, on the device of `like` and with its strides.

    Fused steps of optimisers rely on the strides.
    """
    return torch.empty_like(like, dtype=saved.dtype).copy_(saved)
