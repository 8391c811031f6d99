"""Predictions are those of the bundle, in the source's order, whatever works on them and dies."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dask import distributed
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.star.reading import read_star
from latentlaw.data.star.text import read_star_text
from latentlaw.serving.bundle import Bundle, load_bundle
from latentlaw.serving.prediction import answering
from latentlaw.serving.prediction.predict import (
    Placing,
    PredictReport,
    predict_particles,
    predict_stack,
)
from latentlaw.serving.prediction.work import Settings

from tests.data.tomogram_samples import SHAPE, SIZE_A, make_coordinates, make_tomogram, noise
from tests.reliability.trees import contents
from tests.serving.small_bundles import BOX, small_bundle, small_stack

SMALL = Settings(batch_size=2)  # 16 particles a part


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentlaw.serving.prediction.predict._BATCHES_A_PART", 8)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return small_stack(tmp_path / "s.particles.zarr")


@pytest.fixture
def places() -> np.ndarray:
    """Positions zyx in voxels, some of which cross faces of the tomogram, in no order."""
    return np.random.default_rng(0).uniform(0, np.array(SHAPE) - 1, (30, 3))


def table(report: PredictReport) -> pd.DataFrame:
    return pd.read_parquet(report.path / "predictions.parquet")


@pytest.mark.parametrize("equations", [False, True])
def test_a_stack_gets_what_the_bundle_says_of_each(
    stack: Path, tmp_path: Path, equations: bool
) -> None:
    bundle = small_bundle(equations=equations)
    report = predict_stack(bundle, stack, tmp_path / "out", SMALL)
    found, opened = table(report), open_stack(stack)
    said = pd.DataFrame(bundle.predict(opened.read()))
    assert report.counts == {"predicted": 40, "skipped": 0, "padded": 0, "nonfinite": 0}
    assert found["particle_id"].tolist() == opened.table["particle_id"].tolist()
    assert found["class"].tolist() == said["class"].tolist()
    assert ("expression" in found) == equations
    numbers = ["probability", "novelty", *(f"z{i}" for i in range(4)), "qw", "qx", "qy", "qz"]
    np.testing.assert_allclose(found[numbers], said[numbers], rtol=1e-3, atol=1e-4)
    assert found[["z", "y", "x"]].to_numpy().tolist() == opened.table[list("zyx")].values.tolist()
    assert sorted(path.name for path in report.path.iterdir()) == [
        "predictions.parquet",
        "predictions.star",
    ]


def test_particles_of_tomograms_get_what_their_stack_gets(
    bundle: Bundle, places: np.ndarray, tmp_path: Path
) -> None:
    make_tomogram(tmp_path / "stores", noise())
    make_tomogram(tmp_path / "stores", noise(1), "other")
    names = ["tomo", "other"] * 15
    csv = make_coordinates(tmp_path / "p.csv", places, tomogram=names)
    report = predict_particles(bundle, tmp_path / "stores", csv, tmp_path / "out", SMALL)
    found = table(report)
    assert report.padded > 0
    assert found["tomogram"].tolist() == names
    np.testing.assert_allclose(found[["z", "y", "x"]], places * SIZE_A)
    extract_particles(tmp_path / "stores", csv, tmp_path / "s.particles.zarr", box=BOX, edge="pad")
    cut = table(predict_stack(bundle, tmp_path / "s.particles.zarr", tmp_path / "other", SMALL))
    same = cut.set_index("particle_id").loc[found["particle_id"]].reset_index()
    latents = [f"z{i}" for i in range(4)]
    np.testing.assert_allclose(found[latents], same[latents], atol=1e-5)
    assert not list(tmp_path.glob("out/*.zarr"))


def test_dark_tomograms_are_turned_bright(
    bundle: Bundle, places: np.ndarray, tmp_path: Path
) -> None:
    make_tomogram(tmp_path / "bright", noise())
    make_tomogram(tmp_path / "dark", -noise())
    csv = make_coordinates(tmp_path / "p.csv", places)
    run = (csv, tmp_path / "a", SMALL)
    bright = table(predict_particles(bundle, tmp_path / "bright", *run))
    run = (csv, tmp_path / "b", SMALL)
    placing = Placing(contrast="dark")
    dark = table(predict_particles(bundle, tmp_path / "dark", *run, placing=placing))
    pd.testing.assert_frame_equal(bright, dark)


STAR = """\
data_optics

loop_
_rlnOpticsGroup #1
_rlnTomoTiltSeriesPixelSize #2
1 10.0

data_particles

loop_
_rlnTomoName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnOpticsGroup #5
_rlnClassNumber #6
_rlnAngleRot #7
_rlnAngleTilt #8
_rlnAnglePsi #9
_myRemark #10
tomo 20.50 20 12 1 7 10.0 20.0 30.0 "first one"
tomo 1.0e1 30 30 1 3 -5.00 0 0 second
tomo 40 25.25 20 1 7 0 0 0 third # odd
"""


def test_a_star_file_is_kept_and_says_what_relion_selects_by(
    tmp_path: Path, places: np.ndarray
) -> None:
    make_tomogram(tmp_path / "stores", noise())
    (tmp_path / "p.star").write_text(STAR)
    bundle = small_bundle()
    for poses, name in ((True, "splat"), (False, "conv")):
        if not poses:
            bundle = small_bundle(decoder="conv", pose_dims=0)
        report = predict_particles(
            bundle, tmp_path / "stores", tmp_path / "p.star", tmp_path / name, SMALL
        )
        found, star = table(report), read_star_text(report.path / "predictions.star")
        before = read_star_text(tmp_path / "p.star")
        assert str(star).startswith(STAR[: STAR.index("_rlnTomoName")])
        new = {
            "rlnClassNumber",
            *(["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"] if poses else []),
        }
        kept = [column for column in before.particles.columns if column not in new]
        pd.testing.assert_frame_equal(star.particles.table(kept), before.particles.table(kept))
        ours = star.particles.table(
            ["latentlawClass", "latentlawFormerClassNumber", "rlnClassNumber", "latentlawZ3"]
        )
        assert ours["latentlawFormerClassNumber"].tolist() == ["7", "3", "7"]
        assert ours["latentlawClass"].tolist() == found["class"].tolist()
        numbers = {name: str(i) for i, name in enumerate(bundle.class_names, 1)}
        assert ours["rlnClassNumber"].tolist() == found["class"].map(numbers).tolist()
        np.testing.assert_allclose(ours["latentlawZ3"].astype(float), found["z3"], atol=1e-6)
        if poses:
            read = read_star(report.path / "predictions.star")
            dot = np.sum(read[["qw", "qx", "qy", "qz"]] * found[["qw", "qx", "qy", "qz"]], axis=1)
            np.testing.assert_allclose(np.abs(dot), 1, atol=1e-5)


def test_the_star_file_that_a_stack_keeps_is_written(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", noise())
    (tmp_path / "p.star").write_text(STAR)
    extract_particles(
        tmp_path / "stores", tmp_path / "p.star", tmp_path / "s.particles.zarr", box=BOX
    )
    conv = small_bundle(decoder="conv", pose_dims=0)
    report = predict_stack(conv, tmp_path / "s.particles.zarr", tmp_path / "out", SMALL)
    remarks = read_star_text(report.path / "predictions.star").particles.table(["myRemark"])
    assert sorted(remarks["myRemark"]) == ["first one", "second", "third"]
    assert "label" in table(report)


@pytest.mark.parametrize("after", [1, 2])
def test_killed_and_run_again_it_ends_with_the_same_bytes(
    stack: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    expected = contents(predict_stack(bundle, stack, tmp_path / "whole", SMALL).path)

    def die(done: int, total: int, what: str) -> None:
        if done >= after * 16:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        predict_stack(bundle, stack, tmp_path / "out", SMALL, progress=die)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert not (tmp_path / "out").exists()
    made = []
    answer = answering.answer
    monkeypatch.setattr(
        "latentlaw.serving.prediction.predict.answer",
        lambda part: (made.append(part.start), answer(part)),
    )
    report = predict_stack(bundle, stack, tmp_path / "out", SMALL)
    assert len(made) < 3  # of three parts
    assert contents(report.path) == expected


def test_what_was_begun_with_another_model_is_not_gone_on_with(
    stack: Path, bundle: Bundle, tmp_path: Path
) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    other = small_bundle(channels=8)
    with pytest.raises(KeyboardInterrupt):
        predict_stack(other, stack, tmp_path / "out", SMALL, progress=interrupt)
    assert list(tmp_path.glob(".out.partial/work/parts/*"))
    found = predict_stack(bundle, stack, tmp_path / "out", SMALL)
    expected = predict_stack(bundle, stack, tmp_path / "whole", SMALL)
    assert contents(found.path) == contents(expected.path)


def test_a_cluster_gives_the_same_bytes(stack: Path, bundle: Bundle, tmp_path: Path) -> None:
    expected = contents(predict_stack(bundle, stack, tmp_path / "here", SMALL).path)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        there = Settings(scheduler=cluster.scheduler_address, batch_size=2)
        report = predict_stack(bundle, stack, tmp_path / "there", there)
    assert contents(report.path) == expected


def test_the_model_is_loaded_once(
    stack: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []
    monkeypatch.setattr(
        answering, "load_bundle", lambda folder: (loaded.append(folder), load_bundle(folder))[1]
    )
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(4)))
    predict_stack(bundle, stack, tmp_path / "out", SMALL)
    assert len(loaded) == 1
