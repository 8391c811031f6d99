"""Slices show what is there, where it is, and read no more than is on view."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.slices import level_within, particle_volume, tomogram_volume
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import Tomogram, open_tomogram

SHAPE = (64, 64, 64)


@pytest.fixture
def tomogram(tmp_path: Path) -> Tomogram:
    """Every voxel holds its place: 10000 z + 100 y + x."""
    z, y, x = np.mgrid[:64, :64, :64].astype(np.float32)
    write_mrc(tmp_path / "t.mrc", 10_000 * z + 100 * y + x, 10.0)
    stores = ingest_tomograms(
        tmp_path / "t.mrc", tmp_path, chunk=8, shard=32, levels=3, scheduler="threads"
    ).stores
    return open_tomogram(stores[0])


def test_a_plane_is_where_its_place_is_and_has_its_axes_as_named(tomogram: Tomogram) -> None:
    volume = tomogram_volume(tomogram, 0)
    y, x = np.mgrid[:64, :64]
    np.testing.assert_array_equal(volume.slab("xy", 200.0), 10_000 * 20 + 100 * y + x)
    np.testing.assert_array_equal(volume.slab("xz", 304.0), 10_000 * y + 100 * 30 + x)
    np.testing.assert_array_equal(volume.slab("yz", 400.0), 10_000 * x + 100 * y + 40)


def test_a_slab_is_the_mean_of_its_planes_cut_at_the_edge(tomogram: Tomogram) -> None:
    volume = tomogram_volume(tomogram, 0)
    assert volume.slab("xy", 200.0, planes=3)[0, 0] == 200_000
    assert volume.slab("xy", 0.0, planes=3)[0, 0] == 5_000  # the first two
    assert volume.slab("xy", 1e9)[0, 0] == 630_000


def test_a_coarse_level_says_the_same_of_a_place(tomogram: Tomogram) -> None:
    assert [level_within(tomogram, edge) for edge in (64, 63, 16, 2)] == [0, 1, 2, 2]
    fine, coarse = (tomogram_volume(tomogram, level) for level in (0, 2))
    assert (coarse.shape, coarse.voxel_size_a) == ((16, 16, 16), 40.0)
    # A coarse voxel is the mean of four planes: its centre is between the second and the third.
    assert coarse.place(5) == pytest.approx((fine.place(21) + fine.place(22)) / 2)
    assert coarse.slab("xy", 215.0).mean() == pytest.approx(
        fine.slab("xy", 215.0, planes=4).mean()
    )


def test_only_the_chunks_on_view_are_read(
    tomogram: Tomogram, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = zarr.storage.LocalStore.get

    async def counted(self: Any, key: str, *arguments: Any, **options: Any) -> Any:
        found = await whole(self, key, *arguments, **options)
        if found is not None and "/c/" in key:
            read.append(len(found))
        return found

    monkeypatch.setattr(zarr.storage.LocalStore, "get", counted)

    def bytes_of(level: int, planes: int) -> int:
        read.clear()
        tomogram_volume(tomogram, level).slab("xy", 100.0, planes=planes)
        return sum(read)

    read.clear()
    tomogram.read((slice(None),) * 3)
    everything = sum(read)
    one_layer = bytes_of(0, 3)  # planes 9 to 11: the second of eight layers of chunks
    assert 0 < one_layer < 1.5 * everything / 8
    assert bytes_of(0, 9) < 2 * 1.5 * everything / 8
    assert 0 < bytes_of(2, 1) < one_layer / 4


def test_a_particle_is_a_volume_and_an_image_one_plane_of_it(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(2, 1, 4, 6, 8)).astype(np.float32)
    with new_stack(tmp_path / "a.particles.zarr", item_shape=(1, 4, 6, 8)) as writer:
        writer.append(images, pd.DataFrame({"label": ["a", "b"]}))
    volume = particle_volume(open_stack(tmp_path / "a.particles.zarr"), 1)
    assert (volume.shape, volume.step) == ((4, 6, 8), 1.0)
    np.testing.assert_array_equal(volume.slab("xy", 2), images[1, 0, 2])
    with new_stack(tmp_path / "b.particles.zarr", item_shape=(1, 6, 8), voxel_size_a=2.0) as w:
        w.append(images[:, :, 0], pd.DataFrame({"label": ["a", "b"]}))
    flat = particle_volume(open_stack(tmp_path / "b.particles.zarr"), 0)
    assert (flat.shape, flat.step) == ((1, 6, 8), 2.0)
    np.testing.assert_array_equal(flat.slab("xy", 0), images[0, 0, 0])
