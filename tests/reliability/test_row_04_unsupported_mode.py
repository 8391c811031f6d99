"""Modes that hold no real voxels."""

from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.data.tomograms.ingest import ingest_tomograms


@pytest.mark.parametrize("mode", [3, 4, 101])
def test_row_04_unsupported_mode(
    tmp_path: Path, mrc: Path, patch_header: Callable[..., None], mode: int
) -> None:
    patch_header(mrc, mode=mode)
    failures = ingest_tomograms(mrc, tmp_path / "out", scheduler="threads").failures
    assert f"mode {mode}, expected one of [0, 1, 2, 6, 12]" in failures[0]
    assert not (tmp_path / "out").exists()
