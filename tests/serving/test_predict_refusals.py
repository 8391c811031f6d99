"""What cannot be predicted is said in one line with its remedy, and leaves nothing behind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.particles.writer import new_stack
from latentlaw.errors import ConfigError, DataError, LatentlawError
from latentlaw.serving.prediction.picking import Picking, pick
from latentlaw.serving.prediction.predict import Placing, predict_particles, predict_stack
from latentlaw.serving.prediction.work import Settings

from tests.data.tomogram_samples import SHAPE, make_coordinates, make_tomogram, noise
from tests.serving.small_bundles import BOX, small_bundle, small_stack

SMALL = Settings(batch_size=2)
PLACES = np.array([[10, 10, 10], [20, 20, 20], [20, 24, 30]])


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """Return a folder of one tomogram with a hole of NaN about (20, 20, 20)."""
    volume = noise()
    volume[20, 20, 20] = np.nan
    make_tomogram(tmp_path / "stores", volume)
    return tmp_path / "stores"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return make_coordinates(tmp_path / "p.csv", PLACES)


def one_line(error: pytest.ExceptionInfo[LatentlawError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_another_box(tmp_path: Path) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr")
    bundle = small_bundle(image_shape=(1, 16, 16, 16))
    with pytest.raises(DataError) as error:
        predict_stack(bundle, stack, tmp_path / "out", SMALL)
    said = one_line(error)
    assert "particles of shape (1, 8, 8, 8), expected the model's (1, 16, 16, 16)" in said
    assert "extract them again with box=16" in said
    assert not list(tmp_path.glob("*out*"))


def test_another_voxel_size(tmp_path: Path, stores: Path, csv: Path) -> None:
    bundle = small_bundle(voxel_size_a=13.5)
    wanted = "found 10 angstrom per voxel, expected the 13.5 of the model's training data; bin or"
    stack = small_stack(tmp_path / "s.particles.zarr")
    with pytest.raises(DataError, match=wanted):
        predict_stack(bundle, stack, tmp_path / "out", SMALL)
    with pytest.raises(DataError, match=wanted):
        predict_particles(bundle, stores, csv, tmp_path / "out", SMALL)
    with pytest.raises(DataError, match=wanted):
        pick(bundle, stores, tmp_path / "out", SMALL)


def test_a_voxel_size_that_is_not_known_is_said(tmp_path: Path) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr")
    report = predict_stack(small_bundle(voxel_size_a=None), stack, tmp_path / "out", SMALL)
    assert any("training data is not known" in line for line in report.warnings)
    assert not predict_stack(small_bundle(), stack, tmp_path / "known", SMALL).warnings


def test_voxels_that_are_no_number(tmp_path: Path, stores: Path, csv: Path) -> None:
    bundle = small_bundle()
    with pytest.raises(DataError) as error:
        predict_particles(bundle, stores, csv, tmp_path / "out", SMALL)
    said = one_line(error)
    assert "NaN or infinite voxels in 1 particles, tomo-000001" in said
    assert "nonfinite=drop" in said
    assert not list(tmp_path.glob("*out*"))
    run = (bundle, stores, csv)
    dropped = predict_particles(*run, tmp_path / "drop", SMALL, nonfinite="drop")
    assert (dropped.predicted, dropped.nonfinite) == (2, 1)
    table = pd.read_parquet(tmp_path / "drop" / "predictions.parquet")
    assert table["particle_id"].tolist() == ["tomo-000000", "tomo-000002"]
    assert predict_particles(*run, tmp_path / "zero", SMALL, nonfinite="zero").predicted == 3


def test_grey_levels_beyond_what_the_network_computes(tmp_path: Path) -> None:
    images = np.full((2, 1, BOX, BOX, BOX), 3e38, np.float32)
    with new_stack(tmp_path / "s.particles.zarr", item_shape=images.shape[1:]) as writer:
        writer.append(images, pd.DataFrame(index=range(2)))
    with pytest.raises(DataError, match=r"grey levels are so large .* scale the images"):
        predict_stack(small_bundle(), tmp_path / "s.particles.zarr", tmp_path / "out", SMALL)


def test_all_particles_are_no_number(tmp_path: Path, stores: Path) -> None:
    csv = make_coordinates(tmp_path / "p.csv", PLACES[1:2])
    with pytest.raises(DataError, match=r"found NaN .* in all particles.* nonfinite=zero"):
        predict_particles(small_bundle(), stores, csv, tmp_path / "out", SMALL, nonfinite="drop")


def test_coordinates_outside(tmp_path: Path, stores: Path) -> None:
    places = [[10, 10, 10], [10, 10, 500], [-9, 3, 3], [20, 24, 30], [30, 30, 30]]
    csv = make_coordinates(tmp_path / "p.csv", places)
    report = predict_particles(small_bundle(), stores, csv, tmp_path / "out", SMALL)
    assert (report.predicted, report.skipped) == (3, 2)
    csv = make_coordinates(tmp_path / "q.csv", np.add(places, 1000))
    with pytest.raises(DataError, match="all 5 boxes of 8 voxels cross a face"):
        predict_particles(small_bundle(), stores, csv, tmp_path / "none", SMALL)
    fail = Placing(edge="fail")
    csv = make_coordinates(tmp_path / "r.csv", [[1, 20, 20]])
    with pytest.raises(DataError, match="use edge=skip or edge=pad"):
        predict_particles(small_bundle(), stores, csv, tmp_path / "f", SMALL, placing=fail)


def test_an_empty_stack(tmp_path: Path) -> None:
    header = small_stack(tmp_path / "s.particles.zarr") / "zarr.json"
    header.write_text(header.read_text().replace('"particles": 40', '"particles": 0'))
    with pytest.raises(DataError, match="no particles, expected one at least; extract some"):
        predict_stack(small_bundle(), tmp_path / "s.particles.zarr", tmp_path / "out", SMALL)


def test_a_store_without_its_marker(tmp_path: Path, stores: Path, csv: Path) -> None:
    store = next(stores.glob("*.ome.zarr"))
    marker = store / "zarr.json"
    marker.write_text(marker.read_text().replace('"complete": true', '"complete": false'))
    with pytest.raises(DataError, match=r"expected a complete store of tomogram.* `ingest`"):
        predict_particles(small_bundle(), store, csv, tmp_path / "out", SMALL)


def test_a_model_of_images_and_tomograms(tmp_path: Path, stores: Path, csv: Path) -> None:
    flat = small_bundle(image_shape=(1, BOX, BOX), pose_dims=0, decoder="conv")
    with pytest.raises(DataError, match=r"model's \(1, 8, 8\); give a particle stack instead"):
        predict_particles(flat, stores, csv, tmp_path / "out", SMALL)


def test_an_output_that_is_there(tmp_path: Path) -> None:
    stack = small_stack(tmp_path / "s.particles.zarr")
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists already; pass overwrite=true"):
        predict_stack(small_bundle(), stack, tmp_path / "out", SMALL)
    predict_stack(small_bundle(), stack, tmp_path / "out", Settings(batch_size=2, overwrite=True))


def test_picking_that_would_skip_particles(tmp_path: Path, stores: Path) -> None:
    with pytest.raises(ConfigError, match=r"stride: found 5 voxels, expected at most 4"):
        pick(small_bundle(), stores, tmp_path / "out", SMALL, picking=Picking(stride=5))


def test_nothing_to_pick(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", noise())
    with pytest.raises(
        DataError, match=r"found no window that stands out.* pass a lower threshold"
    ):
        pick(
            small_bundle(),
            tmp_path / "stores",
            tmp_path / "out",
            SMALL,
            picking=Picking(threshold=100, stride=4),
        )


def test_a_tomogram_without_a_number(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.full(SHAPE, np.nan))
    with pytest.raises(DataError, match=r"found NaN .* in every window; mend the tomogram"):
        pick(small_bundle(), tmp_path / "stores", tmp_path / "out", SMALL)
