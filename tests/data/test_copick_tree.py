"""A copick tree: picks of every run are found, and stores in it go by the run's name."""

import json
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError

from tests.data.tomogram_samples import SHAPE, make_tomogram, noise


def make_picks(folder: Path, run: str, name: str, places: list[list[float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    points = [
        {
            "location": dict(zip("zyx", place, strict=True)),
            "transformation_": np.eye(4).tolist(),
            "instance_id": 0,
            "score": 1.0,
        }
        for place in places
    ]
    picks = {
        "pickable_object_name": name,
        "user_id": "ann",
        "session_id": "0",
        "run_name": run,
        "voxel_spacing": None,
        "unit": "angstrom",
        "points": points,
        "trust_orientation": True,
    }
    (folder / f"ann_0_{name}.json").write_text(json.dumps(picks))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for i, run in enumerate(("TS_1", "TS_2")):
        folder = tmp_path / "ExperimentRuns" / run
        make_picks(folder / "Picks", run, "ribosome", [[200 + i, 210, 220]])
        make_tomogram(folder / "VoxelSpacing10.000", noise(i), "wbp")
        # Other JSON, as image groups have, is no pick.
        (folder / "VoxelSpacing10.000" / "notes.json").write_text("{}")
    make_picks(tmp_path / "ExperimentRuns" / "TS_1" / "Picks", "TS_1", "vault", [[100, 100, 100]])
    return tmp_path


@pytest.mark.parametrize("start", ["", "ExperimentRuns"])
def test_picks_of_all_runs_are_found(tree: Path, start: str) -> None:
    table = read_coordinates(tree / start).sort_values(["tomogram", "label"])
    assert table["tomogram"].tolist() == ["TS_1", "TS_1", "TS_2"]
    assert table["label"].tolist() == ["ribosome", "vault", "ribosome"]
    assert table[["z", "y", "x"]].to_numpy().tolist()[2] == [201, 210, 220]


def test_picks_of_a_run(tree: Path) -> None:
    run = tree / "ExperimentRuns" / "TS_1"
    assert len(read_coordinates(run)) == len(read_coordinates(run / "Picks")) == 2
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match=r"found no picks, expected copick"):
        read_coordinates(tree / "empty")


def test_a_tree_is_extracted(tree: Path, tmp_path: Path) -> None:
    report = extract_particles(tree, tree, tmp_path / "s.particles.zarr", box=8)
    stack = open_stack(report.path)
    assert report.extracted == 3
    assert sorted(stack.table["tomogram"]) == ["TS_1", "TS_1", "TS_2"]
    row = int(np.flatnonzero(stack.table["label"] == "vault")[0])
    inner = tuple(slice(10 - 4, 10 + 4) for _ in SHAPE)
    np.testing.assert_array_equal(stack.read()[row, 0], noise(0)[inner].astype(np.float32))
