"""Packed files, links, and names with spaces, commas, brackets and letters beyond ASCII work."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.star.writing import write_star

# NAME of a tomogram, how it is packed, and whether the file is a link to one of another name.
KINDS = [
    ("tomo", ".gz", False),
    ("tomo", ".bz2", False),
    ("tomo", "", True),
    ("tomo", ".gz", True),
    ("tómo_β_断層", "", False),
    ("tomo 1, lamella 2", "", False),
    ("tomo [1]", ".gz", False),
    ("5e10", "", False),
]
FOLDER = "däta of 2024, ok"


def packed(path: Path, ending: str) -> Path:
    """Pack an MRC file as its new ending says."""
    if not ending:
        return path
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}[ending]
    target = path.with_name(path.name + ending)
    target.write_bytes(pack(path.read_bytes()))
    path.unlink()
    return target


def written(folder: Path, name: str, ending: str, volume: np.ndarray, *, link: bool) -> Path:
    """Write a volume as the kind of file asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    if not link:
        write_mrc(folder / f"{name}.mrc", volume, 10.0)
        return packed(folder / f"{name}.mrc", ending)
    elsewhere = folder.parents[1] / "elsewhere"
    elsewhere.mkdir()
    write_mrc(elsewhere / "other.mrc", volume, 10.0)
    target = packed(elsewhere / "other.mrc", ending)
    path = folder / f"{name}.mrc{ending}"
    path.symlink_to(target)
    return path


@pytest.mark.parametrize(("name", "ending", "link"), KINDS)
def test_row_12_names_and_packing(
    name: str, ending: str, link: bool, tmp_path: Path, entry: Callable[..., int]
) -> None:
    volume = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    folder = tmp_path / FOLDER
    path = written(folder / "tomograms", name, ending, volume, link=link)
    place = {"tomogram": [name], "z": 80.0, "y": 70.0, "x": 90.0, "label": "a b, ç"}
    write_star(folder / "particles, all.star", pd.DataFrame(place), 10.0)
    pd.DataFrame(place).to_csv(folder / "particles, all.csv", index=False)
    for source in (folder / "tomograms", path):
        stores = tmp_path / "stores" / source.name
        assert entry("ingest", source=source, out=stores, scheduler="threads") == 0
        for coordinates in sorted(folder.glob("particles*")):
            out = tmp_path / f"{source.name} {coordinates.suffix}.particles.zarr"
            code = entry(
                "extract",
                tomograms=stores,
                coordinates=coordinates,
                out=out,
                box=8,
                scheduler="threads",
            )
            assert code == 0
            holds(open_stack(out), name, volume[4:12, 3:11, 5:13])


def holds(stack: ParticleStack, name: str, box: np.ndarray) -> None:
    assert stack.table["tomogram"].tolist() == [name]
    assert stack.table["label"].tolist() == ["a b, ç"]
    np.testing.assert_array_equal(stack.read()[0, 0], box)


@pytest.mark.parametrize(("name", "ending", "link"), KINDS)
@pytest.mark.parametrize("listed", [True, False])
def test_row_12_names_and_packing_of_images(
    name: str, ending: str, link: bool, listed: bool, tmp_path: Path, entry: Callable[..., int]
) -> None:
    volume = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    folder = tmp_path / FOLDER
    path = written(folder / "a b, ç", name, ending, volume, link=link)
    if listed:
        table = pd.DataFrame({"file": [f"a b, ç/{path.name}"], "label": ["a b, ç"]})
        table.to_csv(folder / "labels.csv", index=False)
    out = tmp_path / "out, ñ.particles.zarr"
    assert entry("collect", source=folder, out=out) == 0
    stack = open_stack(out)
    assert stack.table["label"].tolist() == ["a b, ç"]
    assert stack.table["particle_id"].tolist() == [name]
    np.testing.assert_array_equal(stack.read()[0, 0], volume)
