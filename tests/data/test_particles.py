"""Particle stacks: what is read is what was written, or an error that names the chunk."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from latentlaw.data.particles.stack import SUMS, open_stack
from latentlaw.data.particles.writer import grown_stack, new_stack
from latentlaw.errors import ConfigError, DataError
from zarr.codecs import BloscCodec

ITEM = (1, 4, 4)
CHUNK = 256  # images of that size in a chunk
V1 = Path(__file__).parents[1] / "assets" / "stack_v1.particles.zarr"


def images(n: int, first: int = 0) -> np.ndarray[Any, Any]:
    """Images whose every voxel tells them apart."""
    values = np.arange(first * 16, (first + n) * 16, dtype=np.float32)
    return values.reshape(n, *ITEM)


def rows(n: int, first: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"label": [f"c{i % 3}" for i in range(first, first + n)]})


def make(path: Path, n: int) -> Path:
    with new_stack(path, item_shape=ITEM, voxel_size_a=10.0) as writer:
        writer.append(images(n), rows(n))
    return path


def grow(path: Path, n: int, first: int) -> None:
    with grown_stack(path, item_shape=ITEM, voxel_size_a=10.0) as writer:
        writer.append(images(n, first), rows(n, first))


def content(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make(tmp_path / "s.particles.zarr", 600)


def test_any_rows_in_any_order_and_zarr_agrees(stack: Path) -> None:
    order = np.random.default_rng(0).permutation(600)[:321]
    np.testing.assert_array_equal(open_stack(stack).read(order), images(600)[order])
    np.testing.assert_array_equal(open_stack(stack).read(), images(600))
    array = zarr.open_array(stack / "images", mode="r")
    np.testing.assert_array_equal(np.asarray(array[:]), images(600))
    with pytest.raises(IndexError, match="600"):
        open_stack(stack).read(np.array([0, 600]))


def test_version_1_still_opens_and_does_not_grow() -> None:
    old = open_stack(V1)
    expected = (np.arange(5 * 2 * 6 * 4) % 251).reshape(5, 2, 6, 4)
    np.testing.assert_array_equal(old.read(), expected)
    assert old.images.dtype == np.uint8
    assert old.voxel_size_a == 10
    assert old.table["label"].tolist()[3:] == ["a", "b"]
    with (
        pytest.raises(DataError, match="found format version 1, which cannot grow"),
        grown_stack(V1, item_shape=(2, 6, 4), dtype=np.uint8, voxel_size_a=10.0),
    ):
        pass


@pytest.mark.parametrize("name", ["a [1] *.particles.zarr", "µ, é.particles.zarr"])
def test_names_are_taken_as_they_are(tmp_path: Path, stack: Path, name: str) -> None:
    moved = stack.rename(tmp_path / name)
    np.testing.assert_array_equal(open_stack(moved).read(), images(600))
    old = Path(shutil.copytree(V1, tmp_path / f"old {name}"))
    np.testing.assert_array_equal(open_stack(old).read(), open_stack(V1).read())


@pytest.mark.parametrize("how", ["missing", "flipped", "truncated"])
def test_damaged_chunk_of_version_1_is_named(tmp_path: Path, how: str) -> None:
    copy = Path(shutil.copytree(V1, tmp_path / "old.particles.zarr"))
    damage(copy / "images/c/0/0/0/0", how)
    with pytest.raises(DataError, match="images/c/0/0/0/0: the chunk"):
        open_stack(copy).read()


def damage(chunk: Path, how: str) -> None:
    raw = chunk.read_bytes()
    if how == "missing":
        chunk.unlink()
    elif how == "truncated":
        chunk.write_bytes(raw[:-9])
    else:
        chunk.write_bytes(raw[:70] + bytes([raw[70] ^ 4]) + raw[71:])


@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_chunk_that_is_not_whole_is_found_at_opening(stack: Path, how: str) -> None:
    damage(stack / "images/c.1.0.0.0", how)
    with pytest.raises(DataError, match=r"images/c\.1\.0\.0\.0: the chunk"):
        open_stack(stack)


def test_chunk_that_goes_missing_later_is_an_error(stack: Path) -> None:
    opened = open_stack(stack)
    damage(stack / "images/c.1.0.0.0", "missing")
    np.testing.assert_array_equal(opened.read(np.arange(CHUNK)), images(CHUNK))
    with pytest.raises(DataError, match=r"images/c\.1\.0\.0\.0: the chunk cannot be read"):
        opened.read()


@given(at=st.integers(0, CHUNK * 64 + 3), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory: Any, at: int, bit: int) -> None:
    path = make(tmp_path_factory.mktemp("flip") / "s.particles.zarr", 2)
    chunk = path / "images/c.0.0.0.0"
    raw = bytearray(chunk.read_bytes())
    raw[at] ^= 1 << bit
    chunk.write_bytes(raw)
    with pytest.raises(DataError, match=r"c\.0\.0\.0\.0: the chunk does not fit its CRC-32C"):
        open_stack(path).read(np.array([1]))


def test_images_of_zeros_are_chunks_like_any(tmp_path: Path) -> None:
    with new_stack(tmp_path / "z.particles.zarr", item_shape=ITEM) as writer:
        writer.append(np.zeros((300, *ITEM)), rows(300))
    assert not open_stack(tmp_path / "z.particles.zarr").read().any()


def test_other_stores_read_alike(stack: Path) -> None:
    files = fsspec.filesystem("memory")
    files.put(str(stack), "/remote.particles.zarr", recursive=True)
    try:
        remote = open_stack("memory://remote.particles.zarr")
        np.testing.assert_array_equal(remote.read(), images(600))
        key = "/remote.particles.zarr/images/c.1.0.0.0"
        raw = files.cat_file(key)
        files.pipe_file(key, raw[:7] + bytes([raw[7] ^ 1]) + raw[8:])
        with pytest.raises(DataError, match=r"c\.1\.0\.0\.0: the chunk does not fit"):
            open_stack("memory://remote.particles.zarr").read()
        files.rm(key)
        with pytest.raises(DataError, match=r"c\.1\.0\.0\.0: the chunk is missing"):
            open_stack("memory://remote.particles.zarr")
    finally:
        files.rm("/remote.particles.zarr", recursive=True)


def test_sums_are_those_of_sha256sum(stack: Path) -> None:
    lines = (stack / SUMS).read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((stack / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, "found format version 3, expected at most 2"),
        ({"complete": False}, "expected a complete store of particles"),
        ({"kind": "tomogram"}, "expected a complete store of particles"),
        ({"particles": 601}, "expected 601 of each"),
    ],
)
def test_header_that_does_not_fit_is_refused(
    stack: Path, change: dict[str, Any], said: str
) -> None:
    header = json.loads((stack / "zarr.json").read_text())
    header["attributes"]["latentlaw"] |= change
    (stack / "zarr.json").write_text(json.dumps(header))
    with pytest.raises(DataError, match=said):
        open_stack(stack)


@pytest.mark.parametrize("name", ["zarr.json", "images/zarr.json", "particles.parquet"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"zarr_format": 2}', None])
def test_malformed_or_missing_metadata_is_refused(stack: Path, name: str, text: str) -> None:
    if text is None:
        (stack / name).unlink()
    else:
        (stack / name).write_text(text)
    with pytest.raises(DataError, match=r"s\.particles\.zarr"):
        open_stack(stack)


def test_array_in_other_codecs_is_refused(stack: Path) -> None:
    values = np.asarray(zarr.open_array(stack / "images", mode="r")[:])
    zarr.create_array(stack / "images", data=values, compressors=BloscCodec(), overwrite=True)
    with pytest.raises(DataError, match="expected whole images with Crc32cCodec"):
        open_stack(stack)


@settings(max_examples=25)
@given(first=st.integers(1, 300), steps=st.lists(st.integers(0, 300), min_size=1, max_size=3))
@example(first=CHUNK, steps=[CHUNK, 1])
def test_growing_makes_what_writing_at_once_makes(
    tmp_path_factory: Any, first: int, steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("grow")
    grown, n = make(folder / "grown.particles.zarr", first), first
    for step in steps:
        grow(grown, step, n)
        n += step
    assert content(grown) == content(make(folder / "once.particles.zarr", n))


def test_killed_at_any_moment_it_is_the_old_stack_or_the_new(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, at_once = open_stack(stack).digest, make(tmp_path / "once.particles.zarr", 1000)
    snapshots: list[Path] = []
    rename = Path.replace

    def renamed(source: Path, target: Path) -> Path:
        # A write becomes visible with a rename; a kill comes before it or after it.
        for step in (lambda: None, lambda: rename(source, target)):
            step()
            snapshots.append(Path(shutil.copytree(stack, tmp_path / f"kill-{len(snapshots)}")))
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", renamed)
        grow(stack, 400, 600)
    digests = [open_stack(snapshot).digest for snapshot in snapshots]
    assert len(snapshots) >= 10
    assert set(digests) == {old, open_stack(at_once).digest}
    for snapshot, digest in zip(snapshots, digests, strict=True):
        n = 600 if digest == old else 1000
        np.testing.assert_array_equal(open_stack(snapshot).read(), images(n))
        if digest == old:
            grow(snapshot, 400, 600)
        else:
            grow(snapshot, 0, 1000)
        assert content(snapshot) == content(at_once)


def interrupted(stack: Path) -> None:
    with grown_stack(stack, item_shape=ITEM, voxel_size_a=10.0) as writer:
        writer.append(images(600, 600), rows(600, 600))
        raise KeyboardInterrupt


def test_block_that_raises_leaves_the_stack_as_it_was(stack: Path) -> None:
    before = content(stack)
    with pytest.raises(KeyboardInterrupt):
        interrupted(stack)
    assert content(stack) == before


def test_ids_stay_unique(stack: Path) -> None:
    before = content(stack)
    with (
        pytest.raises(DataError, match="found 'p0000003' twice"),
        grown_stack(stack, item_shape=ITEM, voxel_size_a=10.0) as writer,
    ):
        writer.append(images(1), rows(1).assign(particle_id="p0000003"))
    assert content(stack) == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"item_shape": (1, 4, 5)}, r"found item_shape \(1, 4, 5\) of .*, expected \(1, 4, 4\)"),
        ({"dtype": np.uint8}, "found dtype uint8 of particles to append, expected float32"),
        ({"voxel_size_a": 10.5}, "found voxel_size_a 10.5 of particles to append, expected 10.0"),
    ],
)
def test_particles_of_another_kind_are_refused(
    stack: Path, other: dict[str, Any], said: str
) -> None:
    options: dict[str, Any] = {"item_shape": ITEM, "voxel_size_a": 10.0} | other
    with pytest.raises(DataError, match=said), grown_stack(stack, **options):
        pass


def test_second_writer_is_refused_at_once(stack: Path) -> None:
    with grown_stack(stack, item_shape=ITEM, voxel_size_a=10.0) as writer:
        writer.append(images(5, 600), rows(5, 600))
        with pytest.raises(ConfigError, match=rf"being written by process {os.getpid()}"):
            grow(stack, 1, 600)
    assert len(open_stack(stack)) == 605


def test_appending_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no local particle stack to append to"):
        grow(tmp_path / "none.particles.zarr", 1, 0)


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"found images \(2, 1, 1, 1\) for 2 rows"),
        new_stack(tmp_path / "n.particles.zarr", item_shape=ITEM) as writer,
    ):
        writer.append(np.zeros((2, 1, 1, 1)), rows(2))
