"""Collect: labelled images of any common format become one stack."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from latentlaw.data.collection.collect import collect_particles
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import ConfigError, DataError
from numpy.typing import NDArray
from skimage.io import imsave


def image(seed: int = 0, shape: tuple[int, ...] = (8, 8), dtype: Any = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def run(source: Path, tmp_path: Path, **options: Any) -> ParticleStack:
    report = collect_particles(source, tmp_path / "s.particles.zarr", overwrite=True, **options)
    assert report.failures == ()
    return open_stack(report.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    for i, name in enumerate(["a_0", "a_1", "b_0"]):
        np.save(path / f"{name}.npy", image(i))
    return path


def test_class_from_the_name_and_other_files_ignored(folder: Path, tmp_path: Path) -> None:
    (folder / "classes.csv").write_text("a,b\n")
    (folder / "affinity.csv").write_text("a,b\n1,0\n0,1\n")
    (folder / "README.md").write_text("what this is")
    stack = run(folder, tmp_path)
    assert stack.table["label"].tolist() == ["a", "a", "b"]
    assert stack.table["particle_id"].tolist() == ["a_0", "a_1", "b_0"]
    assert stack.images.dtype == np.uint8
    np.testing.assert_array_equal(stack.read()[1, 0], image(1))


def test_class_from_a_name_without_number_is_without_its_ending(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_mrc(source / "capped_barrel.mrc", np.ones((4, 4, 4), np.float32), 10.0)
    raw = (source / "capped_barrel.mrc").read_bytes()
    (source / "rod.mrc.gz").write_bytes(gzip.compress(raw))
    assert run(source, tmp_path).table["label"].tolist() == ["capped", "rod"]


def test_class_from_the_folder_with_names_that_repeat(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / "in" / name).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "in" / name / "cell_0.tif", image(dtype=np.uint16))
    stack = run(tmp_path / "in", tmp_path)
    assert stack.table["label"].tolist() == ["x", "y"]
    assert stack.table["particle_id"].tolist() == ["x/cell_0", "y/cell_0"]
    assert stack.images.dtype == np.uint16


def test_labels_csv(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_text("file,label,group\nb_0.npy,one,g\na_0.npy,,h\n")
    table = run(folder, tmp_path).table
    assert table["label"].isna().tolist() == [False, True]
    assert table["group"].tolist() == ["g", "h"]
    (folder / "labels.csv").write_text("file,label\nnone.npy,x\n")
    with pytest.raises(DataError, match=r"found no file for 1 rows, the first none.npy"):
        run(folder, tmp_path)
    (folder / "labels.csv").write_text("name,label\nnone.npy,x\n")
    with pytest.raises(DataError, match=r"found columns .*, expected .*file"):
        run(folder, tmp_path)


def test_labels_csv_as_people_write_them(folder: Path, tmp_path: Path) -> None:
    table = folder / "labels.csv"
    table.write_text("\ufefffile,label,group,note\na_0.npy,NA,,x\nb_0.npy,None,g,\n", "utf-8")
    found = run(folder, tmp_path).table
    assert found["label"].tolist() == ["NA", "None"]
    assert found["group"].tolist() == ["a_0", "g"]
    table.write_text("file,label\na_0.npy,x\n,y\n")
    with pytest.raises(DataError, match=r"labels\.csv: line 3: found no file"):
        run(folder, tmp_path)
    table.write_text("file,label\na_0.npy,x\na_0.npy,y\n")
    with pytest.raises(DataError, match=r"labels\.csv: a_0\.npy is listed twice"):
        run(folder, tmp_path)


def test_the_others_go_on_when_a_file_is_bad(folder: Path, tmp_path: Path) -> None:
    (folder / "a_1.npy").write_bytes(b"garbage")
    (folder / "labels.csv").write_text("file,label\na_0.npy,x\na_1.npy,y\nb_0.npy,z\n")
    report = collect_particles(folder, tmp_path / "s.particles.zarr")
    assert report.collected == 2
    assert [("a_1.npy" in failure) for failure in report.failures] == [True]
    stack = open_stack(report.path)
    assert stack.table["label"].tolist() == ["x", "z"]
    np.testing.assert_array_equal(stack.read()[1, 0], image(2))


def test_channels_of_volumes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(2):
        data = image(i, (3, 6, 8, 8), np.uint16)
        tifffile.imwrite(tmp_path / "in" / f"a_{i}.tif", data, ome=True, metadata={"axes": "CZYX"})
    stack = run(tmp_path / "in", tmp_path)
    assert stack.item_shape == (3, 6, 8, 8)
    assert stack.images.dtype == np.uint16
    np.testing.assert_array_equal(stack.read()[1], image(1, (3, 6, 8, 8)))


def test_mrc_gz_volumes_and_voxel_size(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    volume = image(shape=(6, 6, 6), dtype=np.float32)
    write_mrc(tmp_path / "a.mrc", volume, 7.0)
    for name in ("a_1.2", "a_2.2"):
        path = tmp_path / "in" / f"{name}.mrcs.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.mrc").read_bytes()))
    stack = run(tmp_path / "in", tmp_path)
    assert stack.item_shape == (1, 6, 6, 6)
    assert stack.voxel_size_a == 7.0
    assert stack.table["particle_id"].tolist() == ["a_1.2", "a_2.2"]


def test_png_grey_and_colour(tmp_path: Path) -> None:
    for name, shape in (("grey", (8, 8)), ("colour", (8, 8, 3))):
        (tmp_path / name).mkdir()
        imsave(tmp_path / name / "a_0.png", image(shape=shape), check_contrast=False)
    assert run(tmp_path / "grey", tmp_path).item_shape == (1, 8, 8)
    stack = run(tmp_path / "colour", tmp_path)
    assert stack.item_shape == (3, 8, 8)
    np.testing.assert_array_equal(stack.read()[0, 2], image(shape=(8, 8, 3))[..., 2])


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(np.float64, np.float32), (np.int64, np.float32), (np.uint16, np.uint16), (bool, np.uint8)],
)
def test_types(tmp_path: Path, dtype: Any, kept: Any) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a_0.npy", image(dtype=dtype))
    assert run(tmp_path / "in", tmp_path).images.dtype == kept


def test_npz(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        images=image(shape=(3, 8, 8), dtype=np.uint16),
        labels=np.array([1, 0, -1]),
        class_names=np.array(["x", "y"]),
        group=np.array([5, 5, 6]),
    )
    stack = run(tmp_path / "a.npz", tmp_path)
    assert stack.table["label"].fillna("?").tolist() == ["y", "x", "?"]
    assert stack.table["group"].tolist() == ["5", "5", "6"]
    assert stack.item_shape == (1, 8, 8)
    np.savez(tmp_path / "b.npz", images=image(shape=(2, 8, 8)))
    with pytest.raises(DataError, match=r"found arrays .*no labels"):
        run(tmp_path / "b.npz", tmp_path)
    np.savez(tmp_path / "c.npz", images=np.array([{}, {}]), labels=np.zeros(2))
    with pytest.raises(DataError, match="plain arrays"):
        run(tmp_path / "c.npz", tmp_path)


def test_merge(folder: Path, tmp_path: Path) -> None:
    np.save(folder / "ccc_0.npy", image(4))
    stack = run(folder, tmp_path, merge="Both=a+b")
    assert stack.class_names == ["Both", "ccc"]
    with pytest.raises(ConfigError, match="did you mean 'ccc'"):
        run(folder, tmp_path, merge="Both=a+cccc")
    with pytest.raises(ConfigError, match=r"expected NEW=CLASS\+CLASS"):
        run(folder, tmp_path, merge="a+b")


def test_the_odd_shape_is_named_even_if_first(folder: Path, tmp_path: Path) -> None:
    np.save(folder / "a_0.npy", image(shape=(9, 8)))
    with pytest.raises(DataError, match=r"a_0\.npy has shape \(1, 9, 8\), expected \(1, 8, 8\)"):
        run(folder, tmp_path)
    assert run(folder, tmp_path, box=6).item_shape == (1, 6, 6)


def test_nan_files_are_counted_and_named(folder: Path, tmp_path: Path) -> None:
    bad = image(dtype=np.float32)
    bad[0, :3] = np.nan
    np.save(folder / "b_0.npy", bad)
    with pytest.raises(DataError, match=r"in 1 files: b_0\.npy \(3\)"):
        run(folder, tmp_path)
    assert not (tmp_path / "s.particles.zarr").exists()


@pytest.mark.parametrize("box", [4, 6, 8, 12])
def test_box_keeps_the_centre_voxel(tmp_path: Path, box: int) -> None:
    (tmp_path / "in").mkdir()
    impulse = np.full((8, 7), 10, np.uint8)
    impulse[4, 3] = 99
    np.save(tmp_path / "in" / "a_0.npy", impulse)
    cut = run(tmp_path / "in", tmp_path, box=box).read()[0, 0]
    assert np.argwhere(cut == 99).tolist() == [[box // 2, box // 2]]
    assert cut.min() == 10


@pytest.mark.parametrize("content", [b"", b"garbage"])
@pytest.mark.parametrize("name", ["a_0.png", "a_0.tif", "a_0.npy", "a_0.mrc"])
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        run(tmp_path / "in", tmp_path)


def test_nothing_to_collect(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="found no image"):
        run(tmp_path / "in", tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        run(tmp_path / "absent", tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "classes"),
    [
        ("cells", (187, 1, 64, 64), np.uint8, 5),
        ("jurkat/jurkat_dna.npz", (2277, 1, 40, 40), np.uint16, 7),
        ("alphanumeric", (121, 1, 64, 64), np.float32, 12),
        ("subtomograms", (30, 1, 64, 64, 64), np.float32, 6),
    ],
)
def test_real_sources(
    shared_data: Path, tmp_path: Path, name: str, shape: tuple[int, ...], dtype: Any, classes: int
) -> None:
    stack = run(shared_data / name, tmp_path)
    assert stack.images.shape == shape
    assert stack.images.dtype == dtype
    assert len(stack.class_names) == classes
    assert stack.table["particle_id"].is_unique
    if name == "cells":
        assert stack.table["group"].nunique() < 187
