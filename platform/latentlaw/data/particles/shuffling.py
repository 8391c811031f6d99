"""Shuffled batches of a stack that need not fit into memory, in an order that can be replayed.

Chunks come in random order, a window of them at a time, and batches are drawn from the window
without replacement; a stack of one window is shuffled as a whole. The order follows from seed and
epoch alone, so two numbers, the epoch and the batches taken, are all that resuming needs. Batches
are cut into parts for ranks and dealt out to the workers of a `DataLoader`, so they are the same
for any number.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from latentlaw.data.particles.loading import Indices, LabelledImages, Particles, read_ahead
from latentlaw.errors import ConfigError


def shuffled_places(
    rows: Indices, *, rows_per_chunk: int, window: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return every place of `rows` once, so that a stretch of them lies in `window` chunks.

    Parameters
    ----------
    rows
        Rows of the stack, `(n,)`.
    rows_per_chunk
        Images that lie in a chunk of the stack.
    window
        Chunks that places are drawn from at once.
    generator
        Source of the order.

    Returns
    -------
    ndarray
        Positions within `rows`, `(n,)`.
    """
    owners, chunk_of = np.unique(rows // rows_per_chunk, return_inverse=True)
    window_of = generator.permutation(len(owners))[chunk_of] // window
    order = generator.permutation(len(rows))
    return order[np.argsort(window_of[order], kind="stable")]


class ShuffledBatches(IterableDataset[LabelledImages]):
    """The batches of an epoch; iterating again yields the next epoch's, or the rest of this one.

    Batches are whole, so in a `DataLoader` take `batch_size=None`, and `load_state_dict` before
    each epoch: its workers hold copies.

    Parameters
    ----------
    particles
        To draw the batches from.
    batch_size
        Images in a batch of all ranks together, at most as many as there are. A last batch of one
        image, of which no pair loss can be made, is left out.
    seed
        Of the order.
    samples
        Images in an epoch, over as many passes, each in a new order, as that takes; None: one
        pass.
    window
        Chunks that are shuffled at once; None: as many as fit into the memory set aside.
    rank, world_size
        Which of how many processes; each has an equal part of every batch, so that the remainder
        of a batch that is not whole is left out.
    pin
        Read into page-locked memory, for a GPU.
    """

    def __init__(
        self,
        particles: Particles,
        *,
        batch_size: int,
        seed: int,
        samples: int | None = None,
        window: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        pin: bool = False,
    ) -> None:
        window = particles.source.window if window is None else window
        sizes = {"particles": len(particles), "batch_size": batch_size, "window": window}
        if min(sizes.values()) < 1 or not 0 <= rank < world_size:
            raise ConfigError(
                f"shuffled batches: found {sizes}, rank {rank} of {world_size}; expected at "
                "least 1 of each and a rank below the number of ranks"
            )
        if batch_size % world_size or len(particles) < world_size:
            raise ConfigError(
                f"batch_size: found {batch_size} and {len(particles)} particles, expected a "
                f"multiple of the {world_size} processes and a particle for each; use batch_size="
                f"{max(1, batch_size // world_size) * world_size}, or fewer processes"
            )
        self._particles = particles
        self._batch_size = min(batch_size, len(particles))
        self._seed = seed
        self._samples = len(particles) if samples is None else samples
        self._window = window
        self._rank, self._world_size = rank, world_size
        self._pin = pin
        self._epoch, self._taken = 0, 0

    def __iter__(self) -> Iterator[LabelledImages]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        mine = (np.split(batch, self._world_size)[self._rank] for batch in self.plan())
        left = islice(mine, self._taken + first, None, step)
        for batch in read_ahead(self._particles, left, pin=self._pin):
            self._taken += 1
            yield batch
        self._epoch, self._taken = self._epoch + 1, 0

    def plan(self) -> list[Indices]:
        """Return the places `(k,)` of each batch of this epoch, of all ranks."""
        # SeedSequence takes no negative numbers; torch's seeds are modulo 2^64 likewise.
        generator = np.random.default_rng((self._seed % 2**64, self._epoch))
        passes = [
            shuffled_places(
                self._particles.rows,
                rows_per_chunk=self._particles.source.rows_per_chunk,
                window=self._window,
                generator=generator,
            )
            for _ in range(-(-self._samples // len(self._particles)))
        ]
        order = np.concatenate(passes)[: self._samples]
        batches = np.split(order, np.arange(self._batch_size, len(order), self._batch_size))
        even = [batch[: len(batch) // self._world_size * self._world_size] for batch in batches]
        return [batch for batch in even if len(batch) > 1 or len(self._particles) == 1]

    def state_dict(self) -> dict[str, int]:
        """Return what `load_state_dict` needs to go on after the batch that was taken last."""
        return {"seed": self._seed, "epoch": self._epoch, "taken": self._taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to where `state` was taken.

        Raises
        ------
        ConfigError
            If it was taken with another seed.
        """
        if state["seed"] != self._seed:
            raise ConfigError(
                f"shuffled batches: the state is of seed {state['seed']}, expected {self._seed}; "
                "resume with the seed that the run began with"
            )
        self._epoch, self._taken = state["epoch"], state["taken"]
