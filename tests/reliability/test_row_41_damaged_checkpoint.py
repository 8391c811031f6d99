"""A damaged or foreign checkpoint is refused with the reason; the one before only if asked for."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.errors import CheckpointError
from latentlaw.training.checkpoints import forget_after, read_checkpoint, write_checkpoint

from tests.reliability.training_runs import CONFIG, network, train

SHORT = CONFIG.model_copy(update={"epochs": 1})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train(tmp_path / "run", config=SHORT)
    return tmp_path / "run"


def newest(folder: Path) -> Path:
    return max(folder.glob("[0-9]*"))


@pytest.mark.parametrize("name", ["tensors.safetensors", "record.json"])
@pytest.mark.parametrize("how", ["truncated", "flipped"])
def test_row_41_damaged_checkpoint(folder: Path, name: str, how: str) -> None:
    file = newest(folder) / name
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    file.write_bytes(raw[:-7] if how == "truncated" else raw)
    with pytest.raises(CheckpointError, match=rf"{name}: found SHA-256 .*allow_fallback=true"):
        read_checkpoint(folder)
    before = read_checkpoint(folder, fall_back=True)
    assert before.record.progress.step == 5


def test_row_41_the_one_before_is_kept_and_the_damaged_one_is_not(folder: Path) -> None:
    damaged = newest(folder)
    (damaged / "record.json").write_bytes(b"{")
    before = read_checkpoint(folder, fall_back=True)
    assert before.path is not None
    assert forget_after(before.path) == [damaged]
    made = write_checkpoint(folder, before)
    assert sorted(folder.glob("[0-9]*")) == [before.path, made]


def test_row_41_a_run_goes_on_from_the_one_before_only_if_told(
    tmp_path: Path,
    stack: Path,
    entry: Callable[..., int],
    refused: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = tmp_path / "kept"
    own = {"data": stack, "model": "beta-vae", "epochs": 2, "channels": 2, "device": "cpu"}
    assert entry("train", **own, checkpoints=kept, checkpoint_every=0) == 0
    last = read_checkpoint(kept).record.progress.step
    damaged = newest(kept)
    (damaged / "record.json").write_bytes(b"{")
    said = refused("train", **own, resume=kept)
    assert f"{damaged}/record.json: found SHA-256" in said
    assert "allow_fallback=true takes" in said
    assert newest(kept) == damaged
    capsys.readouterr()
    assert entry("train", **own, resume=kept, allow_fallback=True) == 0
    assert f"resume: {damaged} was damaged and is removed" in capsys.readouterr().err
    assert read_checkpoint(kept).record.progress.step == last


def test_row_41_pickle_is_never_loaded(folder: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    content = pickle.dumps(Payload())
    (newest(folder) / "tensors.safetensors").write_bytes(content)
    digests = newest(folder) / "digests.json"
    known = json.loads(digests.read_bytes())
    known["tensors.safetensors"] = hashlib.sha256(content).hexdigest()
    digests.write_text(json.dumps(known))
    with pytest.raises(CheckpointError, match="not safetensors"):
        read_checkpoint(folder)
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="found a file, expected a folder"):
        read_checkpoint(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_row_41_missing_file_or_none_at_all(folder: Path, tmp_path: Path) -> None:
    (newest(folder) / "digests.json").unlink()
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        read_checkpoint(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="found no checkpoint"):
        read_checkpoint(tmp_path / "empty")


def test_row_41_other_architecture(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit this model.*size mismatch"):
        train(folder, config=SHORT, model=network(channels=8))
