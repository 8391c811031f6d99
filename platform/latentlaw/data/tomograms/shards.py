"""Shards of Zarr 3 written a chunk at a time, so that memory is bounded by chunks, not shards.

zarr-python holds a shard and all its encoded chunks in memory until it is whole: for float32 and
512 voxels along an edge, more than a gigabyte per worker. The layout is that of the Zarr 3
sharding codec (zarr-specs, codecs/sharding-indexed v1.0): encoded chunks, then an index of
`(offset, bytes)` in C order of the chunk grid as little-endian uint64, then the index's CRC-32C.
"""

import math
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

_EMPTY = 2**64 - 1
_BLOSC: dict[str, Any] = {"cname": "lz4", "clevel": 5}
_READ_BYTES = 2**22
_CRC_BYTES = 4


@dataclass(frozen=True)
class ShardSum:
    """Size and CRC-32C of a shard's file: what tells that it is whole."""

    size: int
    crc32c: int


def chunk_codecs() -> list[Any]:
    """Return the Zarr codecs of a chunk: Blosc with LZ4 and shuffle, then CRC-32C."""
    return [BloscCodec(shuffle="shuffle", **_BLOSC), Crc32cCodec()]


def chunks_per_shard(array: zarr.Array[Any]) -> int:
    """Return how many chunks a shard of `array` has room for."""
    edges = array.shards or array.chunks
    return math.prod(e // c for e, c in zip(edges, array.chunks, strict=True))


def write_shard(path: Path, chunks: Iterable[NDArray[Any] | None]) -> ShardSum:
    """Write a shard's file; it appears at `path` when it is whole.

    Parameters
    ----------
    path
        File to make.
    chunks
        Every chunk `(z, y, x)` of the shard, whole, in C order of the chunk grid; None where the
        grid reaches beyond the array.
    """
    blosc = numcodecs.Blosc(shuffle=numcodecs.Blosc.SHUFFLE, **_BLOSC)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    index: list[tuple[int, int]] = []
    offset, crc = 0, 0
    try:
        with partial.open("wb") as file:
            for chunk in chunks:
                if chunk is None:
                    index.append((_EMPTY, _EMPTY))
                    continue
                encoded = _with_crc(blosc.encode(np.ascontiguousarray(chunk)))
                file.write(encoded)
                crc = google_crc32c.extend(crc, encoded)
                index.append((offset, len(encoded)))
                offset += len(encoded)
            table = _with_crc(np.array(index, "<u8").tobytes())
            file.write(table)
            crc = google_crc32c.extend(crc, table)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return ShardSum(offset + len(table), crc)


def unfinished_shards(store: Path) -> list[Path]:
    """Return the files that writers of shards which were killed have left in a store."""
    return list(store.rglob(".*.partial-*"))


def sum_shard(path: Path) -> ShardSum:
    """Read a shard's file and return its size and CRC-32C.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.
    """
    size, crc = 0, 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            size += len(block)
            crc = google_crc32c.extend(crc, block)
    return ShardSum(size, crc)


def damaged_chunks(path: Path, count: int) -> list[int]:
    """Return which of a shard's `count` chunks, in C order, fail their checksum.

    All of them, if the index does.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = size - (16 * count + _CRC_BYTES)
        if start < 0:
            return list(range(count))
        file.seek(start)
        table = file.read()
        if not _crc_holds(table):
            return list(range(count))
        index = np.frombuffer(table[:-_CRC_BYTES], "<u8").reshape(count, 2)
        return [
            number
            for number, (offset, length) in enumerate(index.tolist())
            if offset != _EMPTY and not _crc_holds(_read(file, offset, length, start))
        ]


def _read(file: Any, offset: int, length: int, end: int) -> bytes:
    if offset + length > end:
        return b""
    file.seek(offset)
    return bytes(file.read(length))


def _with_crc(data: bytes) -> bytes:
    return data + struct.pack("<I", google_crc32c.value(data))


def _crc_holds(data: bytes) -> bool:
    body, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    return len(data) > _CRC_BYTES and struct.pack("<I", google_crc32c.value(body)) == crc
