"""Files that are no MRC files."""

import bz2
import gzip
from pathlib import Path

import pytest
from latentlaw.data.ingest import ingest


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "found 0 bytes"), (b"\0" * 1024, "not an MRC"), (b"text" * 500, "not an MRC")],
)
def test_row_02_not_an_mrc(
    tmp_path: Path, pack: type[bytes], content: bytes, message: str
) -> None:
    ending = {"bytes": "", "compress": "." + ("gz" if pack is gzip.compress else "bz2")}
    source = tmp_path / f"tomo.mrc{ending[pack.__name__]}"
    source.write_bytes(pack(content))
    report = ingest(source, tmp_path / "out", scheduler="threads")
    assert len(report.failures) == 1
    assert str(source) in report.failures[0]
    assert message in report.failures[0]
    assert not (tmp_path / "out").exists()
