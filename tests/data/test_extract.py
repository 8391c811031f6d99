"""Extraction: a particle's position is at voxel box//2, each chunk is decoded once."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.extraction import cropping
from latentlaw.data.extraction.extract import ExtractReport, extract_particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.star.writing import write_star
from latentlaw.data.tomograms.names import tomogram_key
from latentlaw.errors import ConfigError
from scipy.ndimage import map_coordinates
from zarr.codecs import BloscCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer

from tests.data.tomogram_samples import SHAPE, SIZE_A, make_coordinates, make_tomogram, noise


def run(tmp_path: Path, coordinates: Path, **options: Any) -> ExtractReport:
    options = {"scheduler": "threads", "box": 8, "overwrite": True, **options}
    return extract_particles(
        tmp_path / "stores", coordinates, tmp_path / "s.particles.zarr", **options
    )


def test_impulse_lands_on_the_centre_voxel_wherever_it_is(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    # Spaced out so that each box of 8 holds its own impulse only; some straddle shard corners.
    grid = np.stack(np.meshgrid(*[np.arange(8, n - 7, 9) for n in SHAPE]), -1).reshape(-1, 3)
    volume = np.zeros(SHAPE)
    volume[tuple(grid.T)] = np.arange(1, len(grid) + 1)
    make_tomogram(tmp_path / "stores", volume)
    order = generator.permutation(len(grid))
    report = run(tmp_path, make_coordinates(tmp_path / "p.csv", grid[order]))
    stack = open_stack(report.path)
    images = stack.read()
    assert (report.extracted, report.skipped, report.padded) == (len(grid), 0, 0)
    rows = stack.table[["z", "y", "x"]].to_numpy() / SIZE_A
    np.testing.assert_allclose(images[:, 0, 4, 4, 4], volume[tuple(rows.astype(int).T)])
    np.testing.assert_allclose(images.sum(axis=(1, 2, 3, 4)), images[:, 0, 4, 4, 4])
    assert stack.voxel_size_a == SIZE_A
    assert set(stack.table["group"]) == {"tomo"}


def test_dark_protein_becomes_bright(tmp_path: Path) -> None:
    volume = np.zeros(SHAPE)
    volume[20, 21, 30] = -3  # an impulse darker than what is about it
    make_tomogram(tmp_path / "stores", volume)
    coordinates = make_coordinates(tmp_path / "p.csv", np.array([[20, 21, 30]]))
    images = open_stack(run(tmp_path, coordinates, contrast="dark").path).read()
    assert images[0, 0, 4, 4, 4] == 3
    with pytest.raises(ConfigError, match="contrast: found 'grey', expected one of bright, dark"):
        run(tmp_path, coordinates, contrast="grey")


def test_fraction_of_a_voxel_is_taken_out(tmp_path: Path) -> None:
    axes = np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij")
    make_tomogram(tmp_path / "stores", 2.0 * axes[0] + 3 * axes[1] - axes[2])
    voxels = np.array([[20.3, 21.75, 30.5], [15.0, 15.5, 16.49]])
    images = open_stack(run(tmp_path, make_coordinates(tmp_path / "p.csv", voxels)).path).read()
    # Linear interpolation is exact on a linear volume.
    expected = sorted(2.0 * voxels[:, 0] + 3 * voxels[:, 1] - voxels[:, 2])
    np.testing.assert_allclose(sorted(images[:, 0, 4, 4, 4]), expected, rtol=1e-5)


def test_boxes_are_what_interpolation_of_the_whole_tomogram_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cropping, "_REGION_EDGE", 16)
    volume = noise().astype(np.float32)
    make_tomogram(tmp_path / "stores", volume)
    voxels = np.random.default_rng(0).uniform(5, np.array(SHAPE) - 6, (60, 3))
    report = run(tmp_path, make_coordinates(tmp_path / "p.csv", voxels))
    stack = open_stack(report.path)
    assert report.extracted == 60
    box = np.stack(np.meshgrid(*[np.arange(8) - 4] * 3, indexing="ij"))
    for image, place in zip(stack.read()[:, 0], stack.table[list("zyx")].to_numpy(), strict=True):
        grid = box + (place / SIZE_A)[:, None, None, None]
        np.testing.assert_allclose(image, map_coordinates(volume, grid, order=1), atol=1e-5)


@pytest.mark.parametrize("edge", ["skip", "pad"])
def test_each_chunk_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edge: str
) -> None:
    generator = np.random.default_rng(0)
    volume = generator.normal(size=SHAPE)
    make_tomogram(tmp_path / "stores", volume)
    # Regions of two chunks an edge, so that boxes straddle regions too.
    monkeypatch.setattr(cropping, "_REGION_EDGE", 16)
    decoded: Counter[bytes] = Counter()
    decode = BloscCodec._decode_single

    async def counted(self: BloscCodec, chunk: Buffer, spec: ArraySpec) -> Buffer:
        decoded[chunk.to_bytes()] += 1
        return await decode(self, chunk, spec)

    monkeypatch.setattr(BloscCodec, "_decode_single", counted)
    voxels = generator.integers(6, np.array(SHAPE) - 6, (300, 3))
    report = run(tmp_path, make_coordinates(tmp_path / "p.csv", voxels), edge=edge)
    assert report.extracted == 300
    assert set(decoded.values()) == {1}
    assert len(decoded) <= np.prod(-(-np.array(SHAPE) // 8))


def test_same_stack_whatever_runs_it(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.random.default_rng(0).normal(size=SHAPE))
    voxels = np.random.default_rng(0).uniform(8, np.array(SHAPE) - 8, (30, 3))
    csv = make_coordinates(tmp_path / "p.csv", voxels)
    digests = [
        open_stack(run(tmp_path, csv, scheduler=name).path).digest for name in ("threads", "local")
    ]
    assert digests[0] == digests[1]


def test_box_that_just_fits_is_not_changed_by_its_margin(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    make_tomogram(tmp_path / "stores", volume)
    voxels = np.array([[4, 4, 4], np.array(SHAPE) - 4])
    images = open_stack(run(tmp_path, make_coordinates(tmp_path / "p.csv", voxels)).path).read()
    np.testing.assert_array_equal(images[0, 0], volume[:8, :8, :8])
    np.testing.assert_array_equal(images[1, 0], volume[-8:, -8:, -8:])


def test_folders_and_endings_of_names_are_no_matter(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.ones(SHAPE))
    csv = make_coordinates(tmp_path / "p.csv", [[20] * 3, [21] * 3], tomogram="a/tomo.mrc")
    assert run(tmp_path, csv).extracted == 2


@pytest.mark.parametrize(
    ("name", "key"),
    [("a/b/TS_01.mrc", "TS_01"), ("x.ome.zarr", "x"), ("t.rec.gz", "t"), ("v1.5", "v1.5")],
)
def test_names(name: str, key: str) -> None:
    assert tomogram_key(name) == key


def test_parameters_are_checked(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.ones(SHAPE))
    csv = make_coordinates(tmp_path / "p.csv", np.full((2, 3), 20))
    with pytest.raises(ConfigError, match="even"):
        run(tmp_path, csv, box=7)
    with pytest.raises(ConfigError, match="expected one of skip, pad, fail"):
        run(tmp_path, csv, edge="wrap")


def test_centred_coordinates_count_from_half_the_size(tmp_path: Path) -> None:
    volume = np.zeros(SHAPE)
    volume[22, 25, 27] = 1  # half of the size is (20, 24, 28)
    make_tomogram(tmp_path / "stores", volume)
    names = ["rlnTomoName", *(f"rlnCenteredCoordinate{a}Angst" for a in "XYZ")]
    loop = "\n".join(f"_{name} #{i + 1}" for i, name in enumerate(names))
    path = tmp_path / "c.star"
    path.write_text(f"data_particles\n\nloop_\n{loop}\ntomo -10.0 10.0 20.0\n")
    stack = open_stack(run(tmp_path, path).path)
    assert stack.read()[0, 0, 4, 4, 4] == 1
    assert stack.table.loc[0, ["z", "y", "x"]].tolist() == [220, 250, 270]


def test_star_carries_class_pose_and_id(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.ones(SHAPE))
    table = pd.DataFrame(
        {
            "particle_id": ["a", "b"],
            "label": ["rod", "shell"],
            "tomogram": "tomo",
            **dict.fromkeys("zyx", 200.0),
            "qw": [1.0, 0.6],
            "qx": [0.0, 0.8],
            "qy": 0.0,
            "qz": 0.0,
        }
    )
    write_star(tmp_path / "p.star", table, SIZE_A)
    back = open_stack(run(tmp_path, tmp_path / "p.star").path).table
    assert back["particle_id"].tolist() == ["a", "b"]
    assert back["label"].tolist() == ["rod", "shell"]
    assert abs(back.loc[1, "qx"]) == pytest.approx(0.8)


def test_unused_tomograms_are_reported(tmp_path: Path) -> None:
    make_tomogram(tmp_path / "stores", np.ones(SHAPE))
    make_tomogram(tmp_path / "stores", np.ones(SHAPE), "other")
    report = run(tmp_path, make_coordinates(tmp_path / "p.csv", np.full((2, 3), 20)))
    assert report.tomograms_without_particles == ("other",)


def test_pad_value_is_the_mean_inside() -> None:
    voxels = np.zeros((4, 4, 4), np.float32)
    filled = np.zeros((4, 4, 4), bool)
    filled[2:], voxels[2:] = True, 3.0
    assert (cropping.pad_value(voxels, filled) == 3).all()
