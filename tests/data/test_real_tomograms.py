"""Real tomograms: boxes at the listed centres show what is listed, boxes beside them do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from numpy.typing import NDArray


def boxes(
    source: Path, voxels: pd.DataFrame, work: Path, box: int
) -> tuple[NDArray[np.float32], float]:
    """Ingest, and cut boxes `(n, z, y, x)` at `x y z` in voxels; return the voxel size too."""
    store = ingest_tomograms(
        source, work / "stores", scheduler="threads", chunk=64, levels=1
    ).stores[0]
    size = open_tomogram(store).voxel_size_a
    table = (voxels[["x", "y", "z"]] * size).assign(tomogram=source.stem)
    table.to_csv(work / "p.csv", index=False)
    report = extract_particles(store, work / "p.csv", work / "out", box=box, edge="pad")
    assert report.extracted == len(voxels)
    stack = open_stack(report.path)
    order = stack.table["particle_id"].str[-6:].astype(int).to_numpy().argsort()
    return stack.read(order)[:, 0], size


def radial_mean(box: NDArray[Any], distance: NDArray[Any], stop: int) -> NDArray[np.float64]:
    """Mean of a box over shells of one voxel, of `distance` from the middle."""
    shell = distance.round().astype(int).ravel()
    return (np.bincount(shell, box.ravel()) / np.bincount(shell))[:stop]


@pytest.mark.parametrize(
    ("beside", "there"), [((0, 0), True), ((14, 14), False), ((0, 20), False)]
)
def test_virions_have_a_dark_envelope_at_their_radius(
    shared_data: Path, tmp_path: Path, beside: tuple[int, int], there: bool
) -> None:
    folder = shared_data / "tomograms"
    listed = pd.read_csv(folder / "hiv1_virions_EMD-1155_zbeam.csv")
    moved = listed.assign(x=listed["x"] + beside[0], y=listed["y"] + beside[1])
    cut, size = boxes(folder / "hiv1_virions_EMD-1155_zbeam.mrc", moved, tmp_path, 100)
    assert size == pytest.approx(16.4, abs=0.01)
    axis = np.arange(100) - 50
    distance = np.hypot(axis[:, None], axis[None])
    found = []
    for box, diameter in zip(cut, listed["approx_diameter_voxels"], strict=True):
        profile = radial_mean(box[42:59].mean(axis=0), distance, 50)
        darkest = int(profile[20:].argmin()) + 20
        step = profile[darkest + 4 : darkest + 8].mean() - profile[darkest]
        found.append(abs(darkest - diameter / 2) <= 3 and step > 8)
    assert found == [there] * 3


@pytest.mark.parametrize(("beside", "there"), [(0, True), (8, False)])
def test_microtubule_has_bright_walls_on_both_sides_of_its_axis(
    shared_data: Path, tmp_path: Path, beside: float, there: bool
) -> None:
    folder = shared_data / "tomograms"
    points = pd.read_csv(folder / "microtubule_13pf_axis.csv")
    points.columns = pd.Index(["x", "y", "z"])
    moved = points.assign(x=points["x"] + beside)
    cut, size = boxes(folder / "microtubule_13pf.tif", moved, tmp_path, 32)
    assert size == pytest.approx(10.52, abs=0.01)
    x, y, _ = (points.iloc[2] - points.iloc[0]).to_numpy(dtype=float)
    axis = np.arange(32) - 16
    across = (axis[None] * -y + axis[:, None] * x) / np.hypot(x, y)
    within = np.abs(axis[None] * x + axis[:, None] * y) < 8 * np.hypot(x, y)
    found = []
    for box in cut:
        plane = box[12:20].mean(axis=0)
        profile = np.array(
            [plane[within & (across.round() == offset)].mean() for offset in range(-15, 16)]
        )
        left, right = profile[:15].argmax() - 15, profile[16:].argmax() + 1
        # Walls of 13 protofilaments are about 21 nm apart; the axis is given within 3 voxels.
        walls = 17 <= right - left <= 23 and profile[[left + 15, right + 15]].min() > 130
        found.append(walls and abs(left + right) / 2 <= 4 and profile[13:18].mean() < 115)
    assert found == [there] * 3
