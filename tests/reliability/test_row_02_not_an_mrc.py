"""Files that are no MRC files."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)]
)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found 0 bytes, expected an MRC header of 1024"),
        (b"\0" * 1024, "found b'' where an MRC file has 'MAP ', expected MRC2014"),
        (b"text" * 500, "found b'text' where an MRC file has 'MAP ', expected MRC2014"),
    ],
)
def test_row_02_not_an_mrc(
    tmp_path: Path,
    refused: Callable[..., str],
    ending: str,
    pack: Callable[[bytes], bytes],
    content: bytes,
    message: str,
) -> None:
    source = tmp_path / f"tomo.mrc{ending}"
    source.write_bytes(pack(content))
    said = refused("ingest", source=source, out=tmp_path / "out", scheduler="threads")
    assert f"{source}: {message}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_row_02_a_header_alone(
    tmp_path: Path,
    mrc: Path,
    refused: Callable[..., str],
    ending: str,
    pack: Callable[[bytes], bytes],
) -> None:
    source = tmp_path / f"alone.mrc{ending}"
    source.write_bytes(pack(mrc.read_bytes()[:1024]))
    said = refused("ingest", source=source, out=tmp_path / "out", scheduler="threads")
    assert f"{source}: header says {mrc.stat().st_size} bytes, found 1024" in said
    assert not list(tmp_path.glob("out/*"))
