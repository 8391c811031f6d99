"""Particles that are read batch by batch, ahead of whoever uses them."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Places = NDArray[np.integer[Any]]
_AHEAD = 1  # batches that wait; more of them fall out of the processor's cache
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

    def read_into(self, out: NDArray[np.float32], rows: Places) -> None:
        """Write the images of `rows` into `out` `(len(rows), c, [z,] y, x)`."""


@dataclass(frozen=True)
class ArrayImages:
    """Images `(n, c, [z,] y, x)` in memory: one chunk."""

    images: NDArray[Any]
    window: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all images."""
        return self.images.shape

    @property
    def rows_per_chunk(self) -> int:
        """All of them."""
        return len(self.images)

    def read_into(self, out: NDArray[np.float32], rows: Places) -> None:
        """Write the images of `rows` into `out`."""
        out[:] = self.images[rows]


@dataclass(frozen=True)
class LabelledImages:
    """A batch: images `(n, c, [z,] y, x)` and class indices `(n,)`, -1 where unlabelled."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "LabelledImages":
        """Return the same images on `device`; pinned ones without waiting for the copy."""
        return LabelledImages(
            self.images.to(device, non_blocking=True), self.labels.to(device, non_blocking=True)
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
    rows: Places
    labels: Tensor

    @classmethod
    def unlabelled(cls, source: ImageSource, rows: Places) -> "Particles":
        """Return `rows` of a source whose classes do not matter."""
        return cls(source, rows, torch.full((len(rows),), _UNLABELLED))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Images of a stretch of the rows, `(n, c, [z,] y, x)`."""
        return self.read(np.arange(len(self))[part]).images.numpy()

    def read(self, places: Places, images: Tensor | None = None) -> LabelledImages:
        """Read a batch.

        Parameters
        ----------
        places
            Positions within `rows`.
        images
            Where to read to, `(len(places), c, [z,] y, x)` float32; None: new memory.
        """
        images = self.room(len(places)) if images is None else images
        self.source.read_into(images.numpy(), self.rows[places])
        return LabelledImages(images, self.labels[torch.from_numpy(places)])

    def room(self, n: int, *, pin: bool = False) -> Tensor:
        """Make room for `n` images; pinned, it is memory from which a GPU copies by itself."""
        shape = (n, *self.source.shape[1:])
        # From NumPy, which asks for huge pages: torch.empty takes three times as long to fill.
        if pin:
            return torch.empty(shape, pin_memory=True)
        return torch.from_numpy(np.empty(shape, np.float32))


def read_ahead(
    particles: Particles, batches: Iterable[Places], *, pin: bool = False
) -> Iterator[LabelledImages]:
    """Yield a batch for each array of places, while a thread reads the next ones."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    waiting: deque[Future[LabelledImages]] = deque()
    try:
        for places in batches:
            # Room is made in this thread: what it frees, batch by batch, serves it again.
            room = particles.room(len(places), pin=pin)
            waiting.append(pool.submit(particles.read, places, room))
            del room
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(n: int, batch_size: int) -> list[Places]:
    """Cut `n` places into batches, in order."""
    return [np.arange(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
