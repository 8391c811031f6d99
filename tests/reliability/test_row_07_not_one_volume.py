"""Stacks of volumes or images, and single images, where one volume is due."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.tomograms.ingest import ingest_tomograms


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ispg": 401}, r"stack of volumes (ispg 401, shape (33, 37, 41))"),
        ({"ispg": 0, "mz": 1}, r"found 2-D images (ispg 0, mz 1, shape (33, 37, 41))"),
    ],
)
def test_row_07_not_one_volume(
    tmp_path: Path,
    mrc: Path,
    patch_header: Callable[..., None],
    fields: dict[str, int],
    message: str,
) -> None:
    patch_header(mrc, **fields)
    failures = ingest_tomograms(mrc, tmp_path / "out", scheduler="threads").failures
    assert message in failures[0]
    assert not (tmp_path / "out").exists()


def test_row_07_one_image(tmp_path: Path) -> None:
    write_mrc(tmp_path / "image.mrc", np.ones((1, 8, 9), np.float32), 10.0)
    failures = ingest_tomograms(
        tmp_path / "image.mrc", tmp_path / "out", scheduler="threads"
    ).failures
    assert "found one 2-D image, shape (1, 8, 9) (ispg 1), expected a volume" in failures[0]
    assert not (tmp_path / "out").exists()
