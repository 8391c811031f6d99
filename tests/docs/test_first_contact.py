"""What a newcomer meets: another Python, none, and a folder with a space in its name."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
from latentlaw.data.collection.collect import collect_particles

from tests.docs.checkout import ROOT, copy_of_the_tree, environment

_OLD = '#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 10, 13); $2"\n'


def make_demo(folder: Path, python: str) -> tuple[int, str]:
    """Exit code and error of `make demo` in a folder that holds what it looks at first."""
    for name in ("Makefile", "pyproject.toml", "infra/requirements.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    # No flags of a `make test` that these tests run in.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(
        ["make", f"PYTHON={python}", "demo"],
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert not (folder / ".venv").exists()
    return done.returncode, done.stdout


def test_an_old_python_is_told_with_the_way_out(tmp_path: Path) -> None:
    python = tmp_path / "python3.10"
    python.write_text(_OLD)
    python.chmod(0o755)
    code, said = make_demo(tmp_path / "a folder", "../python3.10")
    assert code == 2
    assert "latentlaw: error: ../python3.10 is Python 3.10, expected 3.11 or newer" in said
    assert "make PYTHON=/path/to/python3.12 demo" in said


def test_no_python_is_told_with_the_way_out(tmp_path: Path) -> None:
    code, said = make_demo(tmp_path, "python3.99")
    assert code == 2
    assert "latentlaw: error: no python3.99 on PATH, expected Python 3.11 or newer" in said


def test_a_python_that_does_not_run_is_told_with_the_way_out(tmp_path: Path) -> None:
    python = tmp_path / "python3.10"  # as pyenv's, of a version that is not chosen
    python.write_text("#!/bin/sh\necho pyenv: command not found >&2; exit 127\n")
    python.chmod(0o755)
    code, said = make_demo(tmp_path / "a folder", "../python3.10")
    assert code == 2
    assert "pyenv: command not found\nlatentlaw: error: ../python3.10 does not run" in said


def test_a_folder_with_a_space_and_the_id_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "my cells"
    copy_of_the_tree(folder)
    images = np.random.default_rng(0).normal(size=(40, 16, 16)).astype(np.float32)
    np.savez(folder / "some cells.npz", images=images, labels=np.arange(40) % 2)

    collect_particles(folder / "some cells.npz", folder / "my stacks" / "a.particles.zarr")
    command = ["mlflow", "run", ".", "--env-manager=local", "-e", "train"]
    for each in ("data=my stacks/a.particles.zarr", "model=beta-vae", "epochs=1"):
        command += ["-P", each]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=200,
    )
    run_id = done.stdout.strip()  # and nothing beside it
    assert len(list(folder.glob(f"mlruns/*/{run_id}"))) == 1
