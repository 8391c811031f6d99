"""Zarr groups of ours have every chunk: one that is not there is an error, never zeros."""

from zarr import Group, open_group
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore


class _CompleteStore(WrapperStore[Store]):
    """A store in which Zarr may not take a missing chunk for one of fill values."""

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        value = await super().get(key, prototype, byte_range)
        if value is None and "c" in key.split("/"):
            raise FileNotFoundError(f"{key} is missing")
        return value


def open_complete(location: str) -> Group:
    """Open a Zarr 3 group of a local path or fsspec URL for reading.

    Raises
    ------
    FileNotFoundError
        If there is no such group; and, naming the key, when a chunk is read that is missing.
    """
    group = open_group(location, mode="r", zarr_format=3)
    return open_group(_CompleteStore(group.store), path=group.path, mode="r", zarr_format=3)
