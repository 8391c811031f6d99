"""Row 62, the server: a model that is missing or changed is not served, an older one goes on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import ScoringServer, tiny_bundle


def start(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "latentlaw.serving", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def change(folder: Path) -> None:
    path = folder / "head.json"
    path.write_text(path.read_text().replace("0", "1", 1))


def lose(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


def lose_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (change, "head.json: found SHA-256"),
        (lose, "weights.safetensors"),
        (lose_all, "not a whole model bundle"),
    ],
)
def test_damaged_model_is_not_served(
    scoring_server: ScoringServer, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:

    tiny_bundle().save(tmp_path / "new")
    damage(tmp_path / "new")
    refused = start(tmp_path / "new")
    assert refused.returncode == 2
    assert refused.stderr.startswith("latentlaw: error:")
    assert reason in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert scoring_server.post({"latents": [[0.0] * 8]})[0] == 200
