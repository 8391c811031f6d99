"""The images of a stack, chunk by chunk: checked against their checksums, mapped where local.

Zarr describes the array and any Zarr library reads it. Zarr also returns zeros, without a word,
for a chunk that is not there, so a stack's images are read here and nowhere else. Measured values
hardly compress (8 % by zstd), so a chunk is its plain values and their CRC-32C: it is mapped into
memory as it is.
"""

import mmap
import os
import threading
from collections import OrderedDict
from typing import Any

import fsspec
import google_crc32c
import numpy as np
import zarr
from fsspec.implementations.local import LocalFileSystem
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from latentlaw.errors import DataError

#: Bytes of the chunks that a shuffled epoch draws from at once.
WINDOW_BYTES = 2**29
_CRC_BYTES = 4
_MAPS = 2**15  # half of what Linux lets a process have


def encode_chunk(images: NDArray[Any], rows: int) -> bytes:
    """Return `images` `(<= rows, c, [z,] y, x)`, filled up with zeros, as a chunk is stored."""
    whole = np.zeros((rows, *images.shape[1:]), images.dtype.newbyteorder("<"))
    whole[: len(images)] = images
    values: bytes = whole.tobytes()
    checksum: int = google_crc32c.value(values)
    return values + checksum.to_bytes(_CRC_BYTES, "little")


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def chunk_key(array: zarr.Array[Any], index: int) -> str:
    """Return the key, within the array, of the chunk of rows `index * chunks[0]` and on."""
    return array.metadata.encode_chunk_key((index, *[0] * (array.ndim - 1)))


class ImageChunks:
    """Images `(n, c, [z,] y, x)` in chunks of whole images; never altered, safe among threads.

    Attributes
    ----------
    shape, dtype
        Of all images, as they are stored.
    rows_per_chunk
        Images in a chunk.
    window
        Chunks that an epoch draws from at once; twice as many are held, for the next to load.
        Maps, whose memory the system takes back when it needs it, are held up to half of it.
    compressed
        Whether chunks are, as in version 1.

    Raises
    ------
    DataError
        If a chunk is missing or of the wrong size, which is looked at first, or fails its
        checksum, which is looked at whenever the chunk is loaded.
    """

    def __init__(self, location: str, array: zarr.Array[Any], n: int) -> None:
        self.shape = (n, *array.shape[1:])
        self.dtype = array.dtype.newbyteorder("<")
        self.rows_per_chunk = array.chunks[0]
        self._files, root = fsspec.core.url_to_fs(location)
        self._folder = f"{root.rstrip('/')}/{array.path}"
        self._name = f"{location}/{array.path}"
        self.compressed = self._check_layout(array)
        self._mapped = isinstance(self._files, LocalFileSystem) and not self.compressed
        self.window = max(1, WINDOW_BYTES // self._chunk_bytes)
        self._most_maps = min(_MAPS, _memory_bytes() // 2 // self._chunk_bytes)
        self._keys = [chunk_key(array, i) for i in range(-(-n // self.rows_per_chunk))]
        self._held: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._check_present()

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what another process makes for itself: maps and the lock."""
        return {**self.__dict__, "_held": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Images of a stretch of rows, as float32 `(n, c, [z,] y, x)`."""
        return self.read(np.arange(len(self))[part])

    def read(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the images of `rows` `(k,)`, in their order, as float32 `(k, c, [z,] y, x)`."""
        # From NumPy, because it asks for huge pages: torch.empty is three times slower to fill.
        out = np.empty((len(rows), *self.shape[1:]), np.float32)
        self.read_into(out, rows)
        return out

    def read_into(self, out: NDArray[np.float32], rows: NDArray[np.integer[Any]]) -> None:
        """Write the images of `rows` `(k,)` into `out` `(k, c, [z,] y, x)`.

        Raises
        ------
        IndexError
            If a row is negative or beyond the last image.
        DataError
            If a chunk is missing, or is not what its checksum says.
        """
        rows = np.asarray(rows)
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        for start in range(0, len(rows), self.window):  # which lie in no more chunks than that
            owners, places = np.divmod(rows[start : start + self.window], self.rows_per_chunk)
            chunks = self._get(list(dict.fromkeys(owners.tolist())))
            where = zip(owners.tolist(), places.tolist(), strict=True)
            for target, (owner, place) in enumerate(where, start):
                out[target] = chunks[owner][place]

    def hold(self, rows: NDArray[np.integer[Any]]) -> None:
        """Load the chunks of `rows` `(k,)`; another thread can read meanwhile what is loaded."""
        self._get(np.unique(rows // self.rows_per_chunk).tolist())

    def chunk(self, index: int) -> NDArray[Any]:
        """Return the images of one chunk `(<= rows_per_chunk, c, [z,] y, x)`, read-only."""
        left = len(self) - index * self.rows_per_chunk
        return self._get([index])[index][:left]

    def _get(self, indices: list[int]) -> dict[int, NDArray[Any]]:
        with self._lock:
            chunks = {index: self._held[index] for index in indices if index in self._held}
        missing = [index for index in indices if index not in chunks]
        for index, raw in zip(missing, self._fetch(missing), strict=True):
            chunks[index] = self._decode(index, raw)
        with self._lock:
            self._held.update(chunks)
            for index in indices:
                self._held.move_to_end(index)
            most = max(2 * self.window, self._most_maps if self._mapped else 0)
            while len(self._held) > most:
                self._held.popitem(last=False)
        return chunks

    def _fetch(self, indices: list[int]) -> list[NDArray[np.uint8]]:
        paths = [f"{self._folder}/{self._keys[index]}" for index in indices]
        if self._mapped:
            return [self._map(index, path) for index, path in zip(indices, paths, strict=True)]
        # One call, so that an object store serves all of them at once; it reads names as they are.
        found = self._files.cat_ranges(paths, None, None, on_error="return")
        for index, content in zip(indices, found, strict=True):
            if isinstance(content, Exception):
                raise self._damaged(index, f"cannot be read ({content})") from content
        return [np.frombuffer(content, np.uint8) for content in found]

    def _map(self, index: int, path: str) -> NDArray[np.uint8]:
        try:
            with open(path, "rb") as stream:
                view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(index, f"cannot be read ({error})") from error
        return np.frombuffer(view, np.uint8)

    def _decode(self, index: int, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """Check a chunk, which also brings a mapped one into memory, and give it its shape."""
        if self.compressed:
            try:  # the frame holds its own checksum
                values = np.frombuffer(Zstd().decode(raw), np.uint8)
            except (RuntimeError, ValueError) as error:
                raise self._damaged(index, f"does not decompress ({error})") from error
        else:
            values = raw[:-_CRC_BYTES]
            stored = int.from_bytes(raw[-_CRC_BYTES:].tobytes(), "little")
            if google_crc32c.value(values) != stored:
                raise self._damaged(index, "does not fit its CRC-32C")
        if len(values) != self._chunk_bytes:
            found = f"holds {len(values)} bytes, expected {self._chunk_bytes}"
            raise self._damaged(index, found)
        return values.view(self.dtype).reshape(self.rows_per_chunk, *self.shape[1:])

    @property
    def _chunk_bytes(self) -> int:
        return self.rows_per_chunk * int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def _check_layout(self, array: zarr.Array[Any]) -> bool:
        """Return whether chunks are compressed, as version 1 has them."""
        codecs = tuple(type(codec) for codec in array.compressors)
        whole = array.chunks[1:] == array.shape[1:] and array.shards is None
        if not whole or array.filters or codecs not in ((Crc32cCodec,), (ZstdCodec,)):
            names = [each.__name__ for each in codecs]
            raise DataError(
                f"{self._name}: found chunks {array.chunks} with {names}, expected whole images "
                "with Crc32cCodec (version 2) or ZstdCodec (version 1); make it with `extract` "
                "or `collect`"
            )
        return codecs == (ZstdCodec,)

    def _check_present(self) -> None:
        found = self._files.find(self._folder, detail=True)
        for index, key in enumerate(self._keys):
            entry = found.get(f"{self._folder}/{key}")
            if entry is None:
                raise self._damaged(index, "is missing")
            wanted = self._chunk_bytes + _CRC_BYTES
            if not self.compressed and entry["size"] != wanted:
                raise self._damaged(index, f"has {entry['size']} bytes, expected {wanted}")

    def _damaged(self, index: int, how: str) -> DataError:
        return DataError(f"{self._name}/{self._keys[index]}: the chunk {how}; {_REMEDY}")


_REMEDY = "restore it from a copy, or make the stack again with `extract` or `collect`"
