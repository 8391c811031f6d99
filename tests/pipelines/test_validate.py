"""The entry that validates: what is whole, what is named, what is mended."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[50] ^= 1
    path.write_bytes(raw)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    (tmp_path / "mrc").mkdir()
    for name in "ab":
        volume = generator.normal(size=(20, 20, 20)).astype(np.float32)
        write_mrc(tmp_path / "mrc" / f"{name}.mrc", volume, 10.0)
    ingest_tomograms(tmp_path / "mrc", tmp_path / "stores", chunk=8, shard=16, scheduler="threads")
    with new_stack(tmp_path / "stores" / "s.particles.zarr", item_shape=(1, 4, 4)) as writer:
        writer.append(generator.normal(size=(3, 1, 4, 4)), pd.DataFrame(index=range(3)))
    return tmp_path


def test_damage_is_named_and_mended(
    folder: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stores = folder / "stores"
    assert entry("validate", store=stores, scheduler="threads") == 0
    assert "every chunk of 3 stores is whole" in capsys.readouterr().err
    flip(stores / "b.ome.zarr" / "s0" / "c" / "1" / "0" / "1")
    assert entry("validate", store=stores, scheduler="threads") == 2
    assert "b.ome.zarr: s0/c/1/0/1 chunk 0" in capsys.readouterr().err
    mended = entry(
        "validate", store=stores, repair="true", source=folder / "mrc", scheduler="threads"
    )
    assert mended == 0
    assert entry("validate", store=stores, scheduler="threads") == 0


def test_a_damaged_stack_is_named(
    folder: Path, entry: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = folder / "stores" / "s.particles.zarr"
    (chunk,) = (path for path in (stack / "images").iterdir() if path.name != "zarr.json")
    flip(chunk)
    assert entry("validate", store=stack) == 2
    assert f"{chunk.name}: the chunk does not fit its CRC-32C" in capsys.readouterr().err


def test_repair_needs_the_source(folder: Path, entry: Callable[..., int]) -> None:
    assert entry("validate", store=folder / "stores", repair="true") == 2
