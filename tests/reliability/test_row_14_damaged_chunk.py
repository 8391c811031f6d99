"""A chunk that is cut or flipped fails its checksum, is named, and is made again."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.inspection.validate import (
    Damage,
    repair_tomogram,
    validate_stack,
    validate_tomogram,
)
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError

from tests.reliability.trees import contents

FIRST = (slice(0, 8),) * 3


def flip(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 0x10
    path.write_bytes(raw)


def test_row_14_damaged_chunk(store: Path, mrc: Path) -> None:
    whole = contents(store)
    flip(store / "s0/c/0/0/0", 100)
    flip(store / "s0/c/1/1/1", -20)  # the index: no chunk of the shard can be trusted
    flip(store / "s1/c/0/0/0", 100)
    with pytest.raises(DataError, match=r"damaged at s0/c/0/0/0 chunk 0.*repair=true"):
        open_tomogram(store).read(FIRST)
    damages = validate_tomogram(store)
    assert damages == [
        Damage("s0/c/0/0/0", (0,)),
        Damage("s0/c/1/1/1", tuple(range(8))),
        Damage("s1/c/0/0/0", (0,)),
    ]
    repair_tomogram(store, mrc, damages)
    assert contents(store) == whole
    assert validate_tomogram(store) == []


def test_row_14_truncated_and_missing_shards_are_made_again(store: Path, mrc: Path) -> None:
    whole = contents(store)
    cut = store / "s0/c/0/1/0"
    cut.write_bytes(cut.read_bytes()[:-9])
    (store / "s0/c/0/2/1").unlink()
    with pytest.raises(DataError, match=r"shard s0/c/0/1/0 has \d+ bytes, expected \d+"):
        open_tomogram(store)
    damages = validate_tomogram(store)
    assert [damage.shard for damage in damages] == ["s0/c/0/1/0", "s0/c/0/2/1"]
    repair_tomogram(store, mrc, damages)
    assert contents(store) == whole


def test_row_14_any_flipped_byte_is_found(store: Path) -> None:
    shard = store / "s0/c/1/0/0"
    size = shard.stat().st_size
    for place in np.random.default_rng(0).integers(0, size, 40):
        flip(shard, int(place))
        assert [damage.shard for damage in validate_tomogram(store)] == ["s0/c/1/0/0"]
        flip(shard, int(place))
    assert validate_tomogram(store) == []


def test_row_14_only_the_original_repairs(store: Path, mrc: Path) -> None:
    flip(store / "s0/c/0/0/0", 100)
    flip(mrc, 2000)
    with pytest.raises(DataError, match="found another SHA-256"):
        repair_tomogram(store, mrc, validate_tomogram(store))


def test_row_14_a_sound_shard_of_another_place_is_found(store: Path, mrc: Path) -> None:
    whole = contents(store)
    (store / "s0/c/0/0/0").write_bytes((store / "s0/c/1/1/1").read_bytes())
    damages = validate_tomogram(store)
    assert damages == [Damage("s0/c/0/0/0")]
    repair_tomogram(store, mrc, damages)
    assert contents(store) == whole


def test_row_14_damaged_chunk_of_a_stack(stack: Path) -> None:
    chunk = stack / "images/c.0.0.0.0"
    flip(chunk, 1000)
    opened = open_stack(stack)
    with pytest.raises(DataError, match=r"images/c\.0\.0\.0\.0: the chunk does not fit its CRC"):
        opened.read()
    (said,) = validate_stack(stack)
    assert "images/c.0.0.0.0" in said
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"c\.0\.0\.0\.0: the chunk has \d+ bytes, expected"):
        open_stack(stack)
