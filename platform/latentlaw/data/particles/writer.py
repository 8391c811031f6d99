"""Writing particle stacks: at once under a new name, or more particles to one that is there."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import Crc32cCodec

from latentlaw.data.particles.chunks import chunk_key, encode_chunk
from latentlaw.data.particles.stack import FORMAT_VERSION, SUMS, TABLE, ParticleStack, open_stack
from latentlaw.data.storage.locks import locked
from latentlaw.data.storage.output import new_output
from latentlaw.data.table import particle_table
from latentlaw.errors import DataError

_CHUNK_BYTES = 4 * 2**20


class ParticleWriter:
    """Appends particles to a stack; makes whole chunks, so that none is written twice."""

    def __init__(self, path: Path, voxel_size_a: float | None) -> None:
        self._path = path
        self._voxel_size_a = voxel_size_a
        self._group = zarr.open_group(path, mode="r+")
        self._images = zarr.open_array(path / "images", mode="r+")
        self._first: tuple[Path, bytes] | None = None
        self._sums: list[str] = []
        self._written = 0
        self._pending: list[NDArray[Any]] = []
        self._tables: list[pd.DataFrame] = []

    @property
    def folder(self) -> Path:
        """The stack's folder while it is written, for files that are kept beside the images."""
        return self._path

    def resume(self, stack: ParticleStack) -> None:
        """Go on after the particles that `stack`, the one at this path, holds already."""
        rows = self._images.chunks[0]
        whole = len(stack) // rows
        lines = (self._path / SUMS).read_text().splitlines()
        self._sums = lines[:whole]
        self._written = whole * rows
        self._tables = [stack.table]
        if self._written < len(stack):
            self._pending = [stack.images.chunk(whole)]

    def append(self, images: NDArray[Any], table: pd.DataFrame) -> None:
        """Append `images` `(n, c, [z,] y, x)` and their rows; columns left out become null.

        Raises
        ------
        DataError
            If they are not as many, or the images are not of the stack's shape.
        """
        if len(images) != len(table) or images.shape[1:] != self._images.shape[1:]:
            raise DataError(
                f"{self._path}: found images {images.shape} for {len(table)} rows of the table, "
                f"expected ({len(table)}, {str(self._images.shape[1:])[1:]}"
            )
        self._tables.append(table)
        self._pending.append(np.asarray(images, dtype=self._images.dtype))
        rows = self._images.chunks[0]
        while sum(map(len, self._pending)) >= rows:
            block = np.concatenate(self._pending)
            self._write(block[:rows])
            self._pending = [block[rows:]]

    def _write(self, block: NDArray[Any]) -> None:
        rows = self._images.chunks[0]
        key = f"images/{chunk_key(self._images, self._written // rows)}"
        content = encode_chunk(block, rows)
        if self._first is None:  # in a stack that grows it replaces one that counts
            self._first = (self._path / key, content)
        else:
            _replace(self._path / key, content)
        self._sums.append(f"{hashlib.sha256(content).hexdigest()}  {key}")
        self._written += len(block)

    def finish(self) -> None:
        """Write what is pending, the table and, last, the header that makes all of it count.

        Raises
        ------
        DataError
            If no particle was written.
        """
        if self._pending and sum(map(len, self._pending)):
            self._write(np.concatenate(self._pending))
        if not self._written:
            raise DataError(
                f"{self._path}: found no particle to write, expected at least one: every one was "
                "left out, or the source is empty"
            )
        table = particle_table(pd.concat(self._tables, ignore_index=True))
        if self._first is not None:
            _replace(*self._first)
        _replace(self._path / TABLE, table.to_parquet(index=False))
        sums = "\n".join([*self._sums, ""]).encode()
        _replace(self._path / SUMS, sums)
        self._images.resize((self._written, *self._images.shape[1:]))
        facts = f"{self._images.dtype} {self._images.shape} {self._voxel_size_a}\n".encode()
        digest = hashlib.sha256(facts + sums + table.to_csv(index=False).encode())
        self._group.attrs["latentlaw"] = {
            "kind": "particles",
            "version": FORMAT_VERSION,
            "particles": self._written,
            "voxel_size_a": self._voxel_size_a,
            "digest": digest.hexdigest(),
            "complete": True,
        }
        self.remove_strays(self._written)

    def remove_strays(self, n: int) -> None:
        """Remove files that `n` particles do not need, left by an append that was broken off."""
        count = -(-n // self._images.chunks[0])
        kept = {chunk_key(self._images, index) for index in range(count)} | {"zarr.json"}
        for entry in [*self._path.glob("*.partial"), *(self._path / "images").iterdir()]:
            if entry.name not in kept:
                entry.unlink()


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is, at any moment, the old one or the new one."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


@contextmanager
def new_stack(
    path: str | Path,
    *,
    item_shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
    voxel_size_a: float | None = None,
    overwrite: bool = False,
) -> Iterator[ParticleWriter]:
    """Write a particle stack that appears at `path` only once it is complete.

    Parameters
    ----------
    path
        Stack to make.
    item_shape
        Shape of one particle, `(c, [z,] y, x)`.
    dtype
        Type the images are kept in.
    voxel_size_a
        Edge of a voxel in angstrom.
    overwrite
        Replace what is at `path`.
    """
    with new_output(path, overwrite=overwrite) as partial:
        item_bytes = int(np.prod(item_shape)) * np.dtype(dtype).itemsize
        rows = max(1, min(256, _CHUNK_BYTES // item_bytes))
        zarr.create_group(partial, zarr_format=3).create_array(
            "images",
            shape=(0, *item_shape),
            chunks=(rows, *item_shape),
            dtype=np.dtype(dtype).newbyteorder("="),
            compressors=[Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},  # one folder, not five deep
            dimension_names=["particle", "c", *"zyx"[-(len(item_shape) - 1) :]],
        )
        writer = ParticleWriter(partial, voxel_size_a)
        yield writer
        writer.finish()


@contextmanager
def grown_stack(
    path: str | Path,
    *,
    item_shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
    voxel_size_a: float | None = None,
) -> Iterator[ParticleWriter]:
    """Append to the particle stack at the local `path`; all that is added counts at once, or none.

    The result is, byte for byte, the stack that writing everything at once makes. Where the block
    raises, or the process is killed at any moment, the stack holds what it held before.

    Parameters
    ----------
    path
        Stack to append to.
    item_shape, dtype, voxel_size_a
        As for `new_stack`, of the particles to add.

    Raises
    ------
    DataError
        If there is no local stack, it is of format version 1, particles are not of its kind, or
        a particle id occurs twice.
    ConfigError
        If another process writes to the stack.
    """
    if not Path(path).is_dir():
        raise DataError(
            f"{path}: found no local particle stack to append to; make one with `extract` or "
            "`collect`"
        )
    with locked(Path(path)):
        stack = open_stack(path)
        _check_alike(stack, item_shape, np.dtype(dtype), voxel_size_a)
        writer = ParticleWriter(Path(path), voxel_size_a)
        writer.resume(stack)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.remove_strays(len(stack))
            raise


def _check_alike(
    stack: ParticleStack,
    item_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    voxel_size_a: float | None,
) -> None:
    """Refuse to append particles of another kind than those of a stack."""
    if stack.images.compressed:
        raise DataError(
            f"{stack.path}: found format version 1, which cannot grow, expected 2; make it again "
            "with `extract` or `collect`, then append"
        )
    found = {"item_shape": item_shape, "dtype": dtype, "voxel_size_a": voxel_size_a}
    expected = {
        "item_shape": stack.item_shape,
        "dtype": stack.images.dtype,
        "voxel_size_a": stack.voxel_size_a,
    }
    for name, value in found.items():
        if value != expected[name]:
            raise DataError(
                f"{stack.path}: found {name} {value} of particles to append, expected "
                f"{expected[name]} as in the stack; resample them, or start another stack"
            )
