"""Particles that are read batch by batch, ahead of whoever uses them."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlaw.geometry.wedges import Wedges

T = TypeVar("T")
Indices = NDArray[np.integer[Any]]
_UNLABELLED = -1  # as in losses.affinity, which data does not use


class ImageSource(Protocol):
    """Images `(n, c, [z,] y, x)` that lie in chunks of `rows_per_chunk` images."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all images."""

    @property
    def rows_per_chunk(self) -> int:
        """Images that are read at once."""

    @property
    def window(self) -> int:
        """Chunks that fit into memory at once, with as many again."""

    def hold(self, rows: Indices) -> None:
        """Load the chunks of `rows` `(k,)`, so that they can be read at once."""

    def read_into(self, out: NDArray[np.float32], rows: Indices) -> None:
        """Write the images of `rows` `(k,)` into `out` `(k, c, [z,] y, x)`."""


@dataclass(frozen=True)
class ArrayImages:
    """Images `(n, c, [z,] y, x)` in memory: one chunk."""

    images: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all images."""
        return self.images.shape

    @property
    def rows_per_chunk(self) -> int:
        """All of them."""
        return len(self.images)

    @property
    def window(self) -> int:
        """The one chunk that there is."""
        return 1

    def hold(self, rows: Indices) -> None:
        """They are there, whatever `rows` `(k,)` are asked for."""

    def read_into(self, out: NDArray[np.float32], rows: Indices) -> None:
        """Write the images of `rows` `(k,)` into `out` `(k, c, [z,] y, x)`."""
        # One by one: indexing by all rows copies them once more, at less than half the speed.
        for target, row in enumerate(rows):
            out[target] = self.images[row]


@dataclass(frozen=True)
class LabelledImages:
    """A batch.

    Attributes
    ----------
    images
        `(n, c, [z,] y, x)`.
    labels
        Class indices `(n,)`, -1 where unlabelled.
    wedges
        Missing wedges, where images were turned or lost some more; None: as they were recorded.
    """

    images: Tensor
    labels: Tensor
    wedges: Wedges | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice) -> "LabelledImages":
        """Return a stretch of the batch."""
        wedges = None if self.wedges is None else self.wedges[part]
        return LabelledImages(self.images[part], self.labels[part], wedges)

    def to(self, device: torch.device) -> "LabelledImages":
        """Return the same images on `device`; pinned ones without waiting for the copy."""
        return LabelledImages(
            self.images.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            None if self.wedges is None else self.wedges.to(device),
        )


@dataclass(frozen=True)
class Particles:
    """Some images of a source, as they were measured, with their classes.

    Attributes
    ----------
    rows
        Which of the source's images, `(n,)`.
    labels
        Class indices `(n,)`, -1 where unknown.
    """

    source: ImageSource
    rows: Indices
    labels: Tensor

    @classmethod
    def unlabelled(cls, source: ImageSource, rows: Indices) -> "Particles":
        """Return `rows` `(n,)` of a source whose classes do not matter."""
        return cls(source, rows, torch.full((len(rows),), _UNLABELLED))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Images of a stretch of the rows, `(n, c, [z,] y, x)`."""
        return self.read(np.arange(len(self))[part]).images.numpy()

    def read(self, places: Indices, *, pin: bool = False) -> LabelledImages:
        """Read a batch.

        Parameters
        ----------
        places
            Positions within `rows`, `(k,)`.
        pin
            Read into page-locked memory, from which a GPU copies by itself.
        """
        shape = (len(places), *self.source.shape[1:])
        # From NumPy, which asks for huge pages: torch.empty takes three times as long to fill.
        images = (
            torch.empty(shape, pin_memory=True)
            if pin
            else torch.from_numpy(np.empty(shape, np.float32))
        )
        self.source.read_into(images.numpy(), self.rows[places])
        return LabelledImages(images, self.labels[torch.from_numpy(places)])


def read_ahead(
    particles: Particles, batches: Iterable[Indices], *, pin: bool = False
) -> Iterator[LabelledImages]:
    """Yield a batch for each array of places `(k,)`; a thread loads chunks of those to come.

    It is up to a window ahead. Images are taken out of chunks where they are used, since that is
    as quick as from an array, and a batch that waits falls out of the processor's cache; those
    that a GPU waits for are taken out by another thread, one batch ahead.
    """
    read = _read_held(particles, batches, pin=pin)
    with closing(read):
        yield from one_ahead(read) if pin else read


def _read_held(
    particles: Particles, batches: Iterable[Indices], *, pin: bool
) -> Generator[LabelledImages, None, None]:
    source = particles.source
    pool = ThreadPoolExecutor(1, thread_name_prefix="chunks")
    coming: deque[tuple[Indices, Future[None]]] = deque()

    def take() -> LabelledImages:
        places, loaded = coming.popleft()
        loaded.result()
        return particles.read(places, pin=pin)

    try:
        for places in batches:
            coming.append((places, pool.submit(source.hold, particles.rows[places])))
            if len(coming) * len(places) > source.window * source.rows_per_chunk:
                yield take()
        while coming:
            yield take()
    finally:
        pool.shutdown(cancel_futures=True)


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, the next of which a thread makes while one is used."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield cast("T", item)


def in_order(n: int, batch_size: int) -> list[Indices]:
    """Cut `n` places into batches `(batch_size,)`, in order; the last may be shorter."""
    return [np.arange(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
