"""A header that claims more voxels than there can be takes no memory."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.data.tomograms.ingest import ingest_tomograms


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"nx": 10**9}, "the header is damaged"),
        ({"nx": 60000, "ny": 60000}, "header says"),
    ],
)
def test_row_08_huge_header(
    tmp_path: Path,
    mrc: Path,
    patch_header: Callable[..., None],
    edges: dict[str, int],
    message: str,
    packed: bool,
) -> None:
    patch_header(mrc, **edges)
    if packed:
        mrc.with_suffix(".mrc.gz").write_bytes(gzip.compress(mrc.read_bytes()))
        mrc = mrc.with_suffix(".mrc.gz")
    tracemalloc.start()
    failures = ingest_tomograms(mrc, tmp_path / "out", scheduler="threads").failures
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message in failures[0]
    assert peak < 50e6
