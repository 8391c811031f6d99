"""A chunk that is not there is an error with its key, never zeros."""

from pathlib import Path

import pytest
from latentlaw.data.inspection.validate import Damage, validate_tomogram
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError


def test_row_13_missing_chunk(store: Path) -> None:
    (store / "s0/c/1/2/0").unlink()
    with pytest.raises(DataError, match=r"shard s0/c/1/2/0 is missing"):
        open_tomogram(store)
    assert validate_tomogram(store) == [Damage("s0/c/1/2/0")]


def test_row_13_missing_chunk_lost_while_open(store: Path) -> None:
    tomogram = open_tomogram(store)
    (store / "s0/c/0/1/1").unlink()
    with pytest.raises(DataError, match="s0/c/0/1/1"):
        tomogram.read((slice(0, 8), slice(16, 24), slice(16, 24)))


def test_row_13_missing_chunk_of_a_stack(stack: Path) -> None:
    opened = open_stack(stack)
    (stack / "images/c.0.0.0.0").unlink()
    with pytest.raises(DataError, match=r"images/c\.0\.0\.0\.0: the chunk is missing"):
        open_stack(stack)
    with pytest.raises(DataError, match=r"images/c\.0\.0\.0\.0: the chunk cannot be read"):
        opened.read()
