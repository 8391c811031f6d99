"""Inputs are never written: on a read-only disk, or while another writer has them open."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.simulation.templates import phantom_templates
from latentlaw.data.star.writing import write_star
from mlflow.tracking import MlflowClient

from tests.reliability.training_runs import only_run
from tests.reliability.trees import contents

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_watched: list[tuple[str, list[str]]] = []


def _note_writers(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watched and isinstance(arguments[0], str | os.PathLike):
        path, flags = os.path.abspath(arguments[0]), arguments[2]
        for folder, opened in _watched:
            if path.startswith(folder) and flags & _WRITING:
                opened.append(path)


sys.addaudithook(_note_writers)  # for good: Python has no way to take one off


@contextmanager
def files_opened_to_write(folder: Path) -> Iterator[list[str]]:
    """Yield a list that grows by each file of `folder` that is opened for writing."""
    opened: list[str] = []
    _watched.append((str(folder), opened))
    try:
        yield opened
    finally:
        _watched.pop()


@pytest.fixture
def inputs(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of every kind of input, that may not be written to."""
    folder, noise = tmp_path / "inputs", np.random.default_rng(0)
    for name in ("tomograms", "templates", "images"):
        (folder / name).mkdir(parents=True)
    volume = noise.normal(size=(24, 24, 24)).astype(np.float32)
    write_mrc(folder / "tomograms" / "a.mrc", volume, 10.0)
    tifffile.imwrite(
        folder / "tomograms" / "b.tif", volume, imagej=True, resolution=(1, 1),
        metadata={"axes": "ZYX", "unit": "nm"},
    )  # fmt: skip
    place = {"tomogram": ["a"], "z": 120.0, "y": 120.0, "x": 120.0, "label": "one"}
    write_star(folder / "particles.star", pd.DataFrame(place), 10.0)
    for name, template in phantom_templates(32, 10.0).items():
        write_mrc(folder / "templates" / f"{name}.mrc", template, 10.0)
    np.save(folder / "images" / "a.npy", volume[0])
    write_mrc(folder / "images" / "b.mrc", volume[:1], 10.0)
    (folder / "images" / "labels.csv").write_text("file,label\na.npy,x\nb.mrc,y\n")
    np.savez(folder / "images.npz", images=volume, labels=np.arange(24))
    files = [path for path in folder.rglob("*") if path.is_file()]
    folders = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    # As an acquisition that still goes on: another writer holds the tomogram, locked.
    with (folder / "tomograms" / "a.mrc").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for path in (*files, *folders):
            path.chmod(0o444 if path.is_file() else 0o555)
        yield folder
    for path in folders:
        path.chmod(0o755)


def test_row_11_read_only_inputs(inputs: Path, tmp_path: Path, entry: Callable[..., int]) -> None:
    before = contents(inputs)
    times = {name: (inputs / name).stat().st_mtime_ns for name in before}
    out, tomograms = tmp_path / "out", inputs / "tomograms"
    with files_opened_to_write(inputs) as opened:
        codes = [
            entry("ingest", source=tomograms, out=out / "stores", scheduler="threads"),
            entry(
                "extract",
                tomograms=out / "stores",
                coordinates=inputs / "particles.star",
                out=out / "extracted.particles.zarr",
                box=8,
                scheduler="threads",
            ),
            entry("collect", source=inputs / "images", out=out / "folder.particles.zarr"),
            entry("collect", source=inputs / "images.npz", out=out / "npz.particles.zarr"),
            entry(
                "simulate",
                templates=inputs / "templates",
                out=out / "simulated",
                particles=2,
                shape="48,48,64",
            ),
            entry("affinity", templates=inputs / "templates", out=out / "affinity.csv"),
        ]
    assert codes == [0] * 6
    assert opened == []
    assert contents(inputs) == before
    assert {name: (inputs / name).stat().st_mtime_ns for name in before} == times


def test_row_11_stacks_and_models_are_only_read(
    stack: Path, tmp_path: Path, tracking_folder: Path, entry: Callable[..., int]
) -> None:
    before = contents(stack)
    small = {"model": "beta-vae", "epochs": 1, "channels": 4, "latent_dims": 3, "device": "cpu"}
    with files_opened_to_write(stack) as opened:
        codes = [entry("train", data=stack, **small)]
        run_id = only_run(
            MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db"), stack
        ).info.run_id
        predicted = {"source": stack, "out": tmp_path / "predicted", "device": "cpu"}
        codes += [
            entry("evaluate", model=run_id, data=stack),
            entry("predict", model=run_id, **predicted),
        ]
    assert codes == [0] * 3
    assert opened == []
    assert contents(stack) == before


def test_files_opened_to_write_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(8))
    with files_opened_to_write(tmp_path) as opened:
        np.memmap(tmp_path / "a", np.uint8, "r")
        assert opened == []
        np.memmap(tmp_path / "a", np.uint8, "r+")
    assert opened == [str(tmp_path / "a")]
