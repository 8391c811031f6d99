"""Previews show what is there, where it is."""

from pathlib import Path

import numpy as np
import pandas as pd
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.previews import orthogonal_slices, particle_gallery, tile_rows
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram


def test_a_bright_bar_is_seen_from_three_sides(tmp_path: Path) -> None:
    volume = np.zeros((20, 30, 40), np.float32)
    volume[9:12, 14:17, 5:35] = 1.0  # along x through the centre
    write_mrc(tmp_path / "bar.mrc", volume, 10.0)
    store = ingest_tomograms(tmp_path / "bar.mrc", tmp_path, scheduler="threads").stores[0]
    image = orthogonal_slices(open_tomogram(store))
    assert image.shape == (30 + 2 + 20, 40 + 2 + 20)
    xy, yz, xz = image[:30, :40], image[:30, 42:], image[32:, :40]
    np.testing.assert_array_equal(np.flatnonzero(xy[15] == 255), np.arange(5, 35))
    np.testing.assert_array_equal(np.flatnonzero(xz[10] == 255), np.arange(5, 35))
    assert set(map(tuple, np.argwhere(yz == 255))) == {
        (y, z) for y in range(14, 17) for z in range(9, 12)
    }


def test_rows_have_a_contrast_each() -> None:
    dim, bright = np.eye(100), 1000 * np.eye(100)
    image = tile_rows([[dim], [bright]])
    np.testing.assert_array_equal(image[:104], image[104:])


def test_gallery_is_sorted_by_class(tmp_path: Path) -> None:
    images = np.zeros((3, 1, 4, 100, 100), np.float32)
    images[:, 0, 2] = np.arange(3)[:, None, None]
    path = tmp_path / "a.particles.zarr"
    with new_stack(path, item_shape=(1, 4, 100, 100)) as writer:
        writer.append(images, pd.DataFrame({"label": ["c", "a", "b"]}))
    image = particle_gallery(open_stack(path), columns=3, rows=1)
    shown = [int(image[50, 104 * i + 50]) for i in range(3)]
    assert shown == [127, 255, 0]
