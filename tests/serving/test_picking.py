"""Picking finds planted particles with a score that is known, and goes on where it was killed."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.prediction import windows
from latentlaw.serving.prediction.answering import ModelPlace
from latentlaw.serving.prediction.batch_size import bytes_per_particle, fitting_batch
from latentlaw.serving.prediction.picking import Picking, pick
from latentlaw.serving.prediction.windows import WindowPart
from latentlaw.serving.prediction.work import Settings
from torch import Tensor

from tests.data.tomogram_samples import SHAPE, SIZE_A, make_coordinates, make_tomogram, noise
from tests.reliability.trees import contents
from tests.serving.small_bundles import BOX, small_bundle

SMALL = Settings(batch_size=32)
PLANTED = np.array([[9, 10, 12], [9, 30, 33], [30, 12, 40], [31, 33, 9], [20, 22, 24], [2, 44, 2]])


def blob(shape: tuple[int, ...], place: np.ndarray) -> np.ndarray:
    around = np.indices(shape) - place.reshape(3, 1, 1, 1)
    return np.exp(-(around**2).sum(axis=0) / 4)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tomogram of blobs in noise, and a model that shows a blob whatever it sees."""
    monkeypatch.setattr(
        AutoEncoder,
        "decode",
        lambda self, z, pose: template.expand(len(z), -1, -1, -1, -1),
    )
    template: Tensor = torch.tensor(blob((BOX,) * 3, np.full(3, BOX // 2)), dtype=torch.float32)
    template = template[None, None]
    volume = 0.2 * noise() + sum(blob(SHAPE, place) for place in PLANTED)
    make_tomogram(tmp_path / "stores", volume)
    return tmp_path / "stores"


def places(out: Path) -> set[tuple[int, ...]]:
    table = pd.read_parquet(out / "predictions.parquet")
    voxels = table[["z", "y", "x"]].to_numpy() / SIZE_A
    np.testing.assert_allclose(voxels, np.rint(voxels), atol=1e-9)
    return set(map(tuple, np.rint(voxels).astype(int).tolist()))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_planted_particles_are_found_at_their_voxel(
    planted: Path, tmp_path: Path, stride: int
) -> None:
    report = pick(small_bundle(), planted, tmp_path / "out", SMALL, picking=Picking(stride=stride))
    found, wanted = places(tmp_path / "out"), set(map(tuple, PLANTED.tolist()))
    assert wanted <= found
    assert report.predicted <= len(PLANTED) + 2  # one is expected of noise


def test_dark_tomograms_and_a_hole(planted: Path, tmp_path: Path) -> None:
    volume = -open_tomogram(next(planted.glob("*.zarr"))).read((slice(None),) * 3)
    volume[9, 30, 38] = np.nan  # within the box of the second, not of others
    volume[9, 30, 35] = np.inf
    make_tomogram(tmp_path / "dark", volume)
    picking = Picking(stride=2, contrast="dark")
    pick(small_bundle(), tmp_path / "dark", tmp_path / "out", SMALL, picking=picking)
    wanted = set(map(tuple, np.delete(PLANTED, 1, axis=0).tolist()))
    assert wanted <= places(tmp_path / "out")
    assert (9, 30, 33) not in places(tmp_path / "out")


def test_killed_it_goes_on_and_ends_with_the_same_bytes(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More parts than one.
    monkeypatch.setattr("latentlaw.serving.prediction.picking._BLOCK", 8)
    picking = Picking(stride=2)
    pick(small_bundle(), planted, tmp_path / "whole", SMALL, picking=picking)

    def die(done: int, total: int, what: str) -> None:
        if what.startswith("search") and done > total / 2:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        pick(small_bundle(), planted, tmp_path / "out", SMALL, picking=picking, progress=die)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    kept = len(list(tmp_path.glob(".out.partial/work/parts/scan-*")))
    assert kept > 2
    scored = []
    score = windows.score
    monkeypatch.setattr(
        "latentlaw.serving.prediction.picking.score",
        lambda part: (scored.append(part.name), score(part)),
    )
    pick(small_bundle(), planted, tmp_path / "out", SMALL, picking=picking)
    assert 0 < len(scored) <= 3 * 4 * 4 - kept
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_windows_are_what_extraction_cuts(tmp_path: Path) -> None:
    from latentlaw.data.extraction.extract import extract_particles
    from latentlaw.data.particles.stack import open_stack

    make_tomogram(tmp_path / "stores", noise())
    centres = np.array([[20, 20, 20], [0, 5, 7], [39, 47, 55], [2, 40, 30]])
    csv = make_coordinates(tmp_path / "p.csv", centres)
    extract_particles(tmp_path / "stores", csv, tmp_path / "s.particles.zarr", box=BOX, edge="pad")
    stack = open_stack(tmp_path / "s.particles.zarr")
    order = stack.table["particle_id"].str[-6:].astype(int).to_numpy()
    part = WindowPart(
        model=ModelPlace("", "", "cpu", batch_size=3),
        tomogram=open_tomogram(next((tmp_path / "stores").glob("*.zarr"))),
        centres=centres[order],
        box=BOX,
        contrast="bright",
        out=tmp_path / "none",
    )
    cut = np.concatenate(list(part.batches()))
    whole = [i for i, row in enumerate(order) if row == 0]
    np.testing.assert_array_equal(cut[whole], stack.read()[whole])
    # What lies outside is the mean of a box here, of a box and its margin there.
    np.testing.assert_allclose(cut, stack.read(), atol=0.2)


def test_a_batch_is_what_fits_into_a_quarter_of_the_memory() -> None:
    model = small_bundle().model
    each = bytes_per_particle(model)
    assert each > 4 * BOX**3 * (1 + 4 / 8)  # the image and the first layer at least
    cpu = torch.device("cpu")
    assert fitting_batch(model, 4 * 10 * each, 1, cpu) == 10
    assert fitting_batch(model, 4 * 10 * each, 2, cpu) == 5
    assert fitting_batch(model, 0, 2, cpu) == 1
    assert fitting_batch(model, 2**50, 2, cpu) == 128


def test_a_batch_on_a_cpu_is_of_four_mebibytes() -> None:
    model = small_bundle(image_shape=(1, 32, 32, 32)).model
    assert fitting_batch(model, 2**50, 2, torch.device("cpu")) == 32
    assert fitting_batch(model, 2**50, 2, torch.device("cuda")) == 128
