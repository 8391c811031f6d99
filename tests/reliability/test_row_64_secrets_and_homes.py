"""Row 64: neither logs nor artifacts hold secrets or absolute paths of a home."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.tracking.scrub import scrub

ROOT = Path(__file__).parents[2]
KEY, WORD = secrets.token_hex(20), secrets.token_hex(10)


def images(path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    pictures = generator.normal(size=(60, 16, 16)).astype(np.float32)
    pictures[labels == 1, 4:12, 4:12] += 2
    np.savez(path, images=pictures, labels=labels, class_names=["a", "b"])


def run(home: Path, store: Path, entry: str, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    environment |= {
        "HOME": str(home),
        "AWS_SECRET_ACCESS_KEY": KEY,
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{entry}", *arguments],
        env=environment,
        cwd=store,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Return a home, the store that its runs went to, and all that they printed."""
    home = tmp_path_factory.mktemp("home") / "alice"
    store = tmp_path_factory.mktemp("store")
    home.mkdir()
    images(home / "cells.npz")
    stack = str(home / "cells.particles.zarr")
    printed = run(home, store, "collect", "--source", str(home / "cells.npz"), "--out", stack)
    small = ("--model", "beta-vae", "--epochs", "1", "--channels", "4", "--latent_dims", "3")
    printed += run(home, store, "train", "--data", stack, *small)
    # Passwords in an address and secrets in a parameter, both of which end in an error line.
    printed += run(home, store, "train", "--data", f"s3://alice:{WORD}@host/stack", *small)
    printed += run(home, store, "train", "--data", f"{home}/{KEY}.particles.zarr", *small)
    return home, store, printed


def test_runs_said_what_they_did(places: tuple[Path, Path, str]) -> None:
    home, store, printed = places
    assert (home / "cells.particles.zarr").is_dir()
    assert any(store.rglob("weights.safetensors"))
    assert "~/***.particles.zarr" in printed
    assert "s3://alice:***@host/stack" in printed


@pytest.mark.parametrize("what", ["the secret", "the password", "the home"])
def test_nothing_that_is_kept_or_printed_holds_it(
    places: tuple[Path, Path, str], what: str
) -> None:
    home, store, printed = places
    text = {"the secret": KEY, "the password": WORD, "the home": str(home)}[what]
    assert text not in printed
    for path in store.rglob("*"):
        if path.is_file():
            assert text.encode() not in path.read_bytes(), path


def test_recorded_configuration_is_of_a_home_that_it_finds_again(
    places: tuple[Path, Path, str],
) -> None:
    home, store, _ = places
    config = next(store.rglob("config.yaml"))
    assert "data: ~/cells.particles.zarr" in config.read_text()
    run(home, store, "train", "--config", str(config), "--epochs", "1")
    assert len(list(store.rglob("weights.safetensors"))) == 2


@given(st.text(max_size=80))
def test_other_texts_stay_as_they_are(text: str) -> None:
    home = str(Path.home())
    if home not in text and "://" not in text:
        assert scrub(text) == text


def test_only_whole_paths_of_the_home_are_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/al")
    assert scrub("/home/al/x, '/home/al'") == "~/x, '~'"
    assert scrub("/home/alice/x /mnt/home/al/x") == "/home/alice/x /mnt/home/al/x"
