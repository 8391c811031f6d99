"""Tomogram stores: no voxel is lost, no damage goes unseen."""

import bz2
import json
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.pyramid import mean_by_two
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import ConfigError, DataError
from numpy.typing import NDArray


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def store_of(tmp_path: Path, volume: NDArray[np.float32], **options: int) -> Path:
    source = tmp_path / "tomo.mrc"
    write_mrc(source, volume, 10.0, overwrite=True)
    return ingest_tomograms(
        source,
        tmp_path / "stores",
        scheduler="threads",
        overwrite=True,
        **{"chunk": 8, "shard": 16, **options},
    ).stores[0]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return store_of(tmp_path, noise((37, 50, 41)))


def test_no_voxel_is_lost_with_several_ragged_shards(tmp_path: Path) -> None:
    volume = noise((37, 50, 41))
    tomogram = open_tomogram(store_of(tmp_path, volume))
    np.testing.assert_array_equal(tomogram.levels[0][:], volume)
    np.testing.assert_allclose(tomogram.levels[1][:], mean_by_two(volume), atol=1e-6)
    assert tomogram.voxel_size_a == 10.0
    assert tomogram.name == "tomo"
    assert tomogram.levels[0].shards == (16, 16, 16)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(*[st.integers(2, 40)] * 3),
    chunk=st.integers(3, 12),
    multiple=st.integers(1, 3),
)
def test_any_shape_and_sharding(
    tmp_path: Path, shape: tuple[int, int, int], chunk: int, multiple: int
) -> None:
    volume = noise(shape)
    tomogram = open_tomogram(store_of(tmp_path, volume, chunk=chunk, shard=chunk * multiple))
    expected = volume
    for level in tomogram.levels:
        np.testing.assert_allclose(level[:], expected, rtol=1e-4, atol=1e-6)
        expected = mean_by_two(expected)


def test_processes_of_a_local_cluster(tmp_path: Path) -> None:
    volume = noise((20, 30, 40))
    write_mrc(tmp_path / "tomo.mrc", volume, 10.0)
    steps: list[tuple[int, int]] = []
    stores = ingest_tomograms(
        tmp_path / "tomo.mrc",
        tmp_path / "stores",
        chunk=8,
        shard=16,
        levels=2,
        progress=lambda done, total, what: steps.append((done, total)),
    ).stores
    np.testing.assert_array_equal(open_tomogram(stores[0]).levels[0][:], volume)
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_metadata_is_ome_zarr_in_angstrom(store: Path) -> None:
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    multiscale = attributes["ome"]["multiscales"][0]
    assert attributes["ome"]["version"] == "0.5"
    assert multiscale["axes"] == [
        {"name": name, "type": "space", "unit": "angstrom"} for name in "zyx"
    ]
    scale, translation = multiscale["datasets"][1]["coordinateTransformations"]
    assert scale == {"type": "scale", "scale": [20.0] * 3}
    assert translation == {"type": "translation", "translation": [5.0] * 3}
    assert len(attributes["latentlaw"]["digest"]) == 64


def test_missing_shard_is_named_not_read_as_zeros(store: Path) -> None:
    (store / "s0/c/1/2/0").unlink()
    with pytest.raises(DataError, match="shard s0/c/1/2/0 is missing"):
        open_tomogram(store)


def test_flat_volume_keeps_its_chunks(tmp_path: Path) -> None:
    assert open_tomogram(store_of(tmp_path, np.zeros((20, 20, 20), np.float32))).shape == (20,) * 3


def test_flipped_byte_is_an_error(store: Path) -> None:
    shard = store / "s0/c/0/0/0"
    raw = bytearray(shard.read_bytes())
    raw[100] ^= 0xFF
    shard.write_bytes(raw)
    with pytest.raises(DataError, match="damaged"):
        open_tomogram(store).read((slice(0, 16),) * 3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("complete", False, "expected a complete"),
        ("kind", "particles", "expected a complete"),
        ("version", 99, "update latentlaw"),
    ],
)
def test_foreign_stores_are_refused(store: Path, key: str, value: object, message: str) -> None:
    group = zarr.open_group(store, mode="r+")
    group.attrs["latentlaw"] = {**group.attrs["latentlaw"], key: value}  # type: ignore[dict-item]
    with pytest.raises(DataError, match=message):
        open_tomogram(store)


def test_stores_without_marker_or_with_other_axes_are_refused(store: Path) -> None:
    group = zarr.open_group(store, mode="r+")
    attributes = group.attrs.asdict()
    ome = attributes["ome"]
    ome["multiscales"][0]["axes"].reverse()  # type: ignore[index, call-overload, union-attr]
    group.attrs["ome"] = ome
    with pytest.raises(DataError, match="expected z y x in angstrom"):
        open_tomogram(store)
    del group.attrs["latentlaw"]
    with pytest.raises(DataError, match="make one with `ingest`"):
        open_tomogram(store)
    shutil.rmtree(store)
    with pytest.raises(DataError, match="make one with `ingest`"):
        open_tomogram(store)


def test_bad_sources_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        write_mrc(folder / f"{name}.mrc", noise((4, 4, 4)), 10.0)
    for name in "ac":
        (folder / f"{name}.mrc").write_bytes((folder / f"{name}.mrc").read_bytes()[:-1])
    report = ingest_tomograms(folder, tmp_path / "out", scheduler="threads")
    assert [path.name for path in report.stores] == ["b.ome.zarr"]
    assert [line.split(":")[0] for line in report.failures] == [
        str(folder / "a.mrc"),
        str(folder / "c.mrc"),
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.ome.zarr"]


def test_outputs_are_not_replaced_unasked(tmp_path: Path, store: Path) -> None:
    with pytest.raises(ConfigError, match="overwrite=true"):
        ingest_tomograms(tmp_path / "tomo.mrc", store.parent, scheduler="threads")
    with pytest.raises(ConfigError, match="multiple of chunk"):
        ingest_tomograms(
            tmp_path / "tomo.mrc", tmp_path / "x", chunk=10, shard=15, scheduler="threads"
        )
    with pytest.raises(ConfigError, match="scheduler"):
        ingest_tomograms(tmp_path / "tomo.mrc", tmp_path / "x", scheduler="slurm")
    with pytest.raises(DataError, match="no tomogram found"):
        ingest_tomograms(tmp_path / "*.nothing", tmp_path / "x", scheduler="threads")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", noise((4, 4, 4)), 10.0)
    shutil.copy(tmp_path / "a.mrc", tmp_path / "a.rec")
    with pytest.raises(DataError, match="found two tomograms for"):
        ingest_tomograms(tmp_path, tmp_path / "out", scheduler="threads")


@pytest.mark.parametrize(("unit", "size"), [("nm", 12.0), ("micron", 12000.0)])
def test_imagej_units(tmp_path: Path, unit: str, size: float) -> None:
    volume = noise((4, 5, 6))
    tifffile.imwrite(
        tmp_path / "a.tif",
        volume,
        imagej=True,
        resolution=(1 / 1.2, 1 / 1.2),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 1.2},
    )
    tomogram = open_tomogram(
        ingest_tomograms(tmp_path / "a.tif", tmp_path / "o", scheduler="threads").stores[0]
    )
    assert tomogram.voxel_size_a == pytest.approx(size)
    np.testing.assert_array_equal(tomogram.levels[0][:], volume)


def test_real_tomograms(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "tomograms"
    hiv = open_tomogram(
        ingest_tomograms(
            folder / "hiv1_virions_EMD-1155_zbeam.mrc", tmp_path, scheduler="threads"
        ).stores[0]
    )
    assert hiv.shape == (91, 281, 141)
    assert hiv.voxel_size_a == pytest.approx(16.4)
    assert hiv.levels[0].dtype == np.int8
    tube = open_tomogram(
        ingest_tomograms(folder / "microtubule_13pf.tif", tmp_path, scheduler="threads").stores[0]
    )
    np.testing.assert_array_equal(
        tube.levels[0][:], tifffile.imread(folder / "microtubule_13pf.tif")
    )
    assert tube.voxel_size_a == pytest.approx(10.52)


def test_a_store_opens_through_a_url_and_lacks_nothing_unseen(store: Path) -> None:
    files = fsspec.filesystem("memory")
    files.put(str(store), "/there/tomo.ome.zarr", recursive=True)
    tomogram = open_tomogram("memory://there/tomo.ome.zarr")
    np.testing.assert_array_equal(tomogram.levels[0][:], open_tomogram(store).levels[0][:])
    files.rm("/there/tomo.ome.zarr/s0/c/0/0/0")
    with pytest.raises(DataError, match="s0/c/0/0/0 is missing"):
        tomogram.read((slice(0, 4),) * 3)
    with pytest.raises(DataError, match="shard s0/c/0/0/0 is missing"):
        open_tomogram("memory://there/tomo.ome.zarr")


def test_what_voxels_must_be_unpacked_is_unpacked_once_and_removed(tmp_path: Path) -> None:
    volume = noise((12, 13, 14))
    tifffile.imwrite(tmp_path / "packed.tif", volume, compression="zlib")
    write_mrc(tmp_path / "packed.mrc", volume, 10.0)
    packed = tmp_path / "mrc.rec.bz2"
    packed.write_bytes(bz2.compress((tmp_path / "packed.mrc").read_bytes()))
    for source in (tmp_path / "packed.tif", packed):
        (store,) = ingest_tomograms(
            source, tmp_path / "out", voxel_size_a=10.0, chunk=8, shard=16, scheduler="threads"
        ).stores
        np.testing.assert_array_equal(open_tomogram(store).levels[0][:], volume)
        assert {path.name for path in store.iterdir()} == {"s0", "zarr.json"}
