"""Where tasks run: worker processes here, threads of this process, or a Dask cluster."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dask import distributed

from latentlaw.errors import ConfigError, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CONNECT_S = 20
_MOST_NAMED = 5
_MOST_WORKERS = 8  # more only wait for the disk
# Dask ships annotations but not on these constructors.
_Client: Any = distributed.Client
_LocalCluster: Any = distributed.LocalCluster


@dataclass(frozen=True)
class TaskRunner:
    """Runs a function over items, with few tasks in flight so that memory is bounded.

    Attributes
    ----------
    submit
        Begins `function(item)` elsewhere and returns its future.
    """

    submit: Callable[..., Any]
    in_flight: int

    @property
    def workers(self) -> int:
        """Tasks that run at the same time."""
        return max(1, self.in_flight - 1)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield `function(item)` of each item, in their order.

        An item whose worker dies is tried on others. If all of them die, the other items are
        still done before that is an error, though their results are told no more.

        Raises
        ------
        WorkerError
            Naming the items on which workers died, as they do when memory runs out.
        """
        waiting: deque[tuple[Item, Any]] = deque()
        deadly: list[Item] = []

        def oldest() -> Iterator[Result]:
            item, future = waiting.popleft()
            try:
                result = future.result()
            except distributed.KilledWorker:
                deadly.append(item)
            if not deadly:
                yield result

        try:
            for item in items:
                if len(waiting) >= self.in_flight:
                    yield from oldest()
                waiting.append((item, self.submit(function, item)))
            while waiting:
                yield from oldest()
        finally:
            for _, future in waiting:
                future.cancel()
        if deadly:
            names = ", ".join(str(getattr(item, "name", item)) for item in deadly[:_MOST_NAMED])
            more = f" and {len(deadly) - _MOST_NAMED} more" if len(deadly) > _MOST_NAMED else ""
            raise WorkerError(
                f"scheduler: each worker that was given {names}{more} died, most likely out of "
                "memory; the rest is done: use a smaller `shard` or `batch_size`, workers with "
                "more memory, or scheduler=threads"
            )


def _run_now(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(function(item))
    return future


#: Runs each task where and when it is given: for work that is a task itself.
HERE = TaskRunner(_run_now, 1)


@contextmanager
def open_scheduler(scheduler: str) -> Iterator[TaskRunner]:
    """Yield a runner of tasks.

    Parameters
    ----------
    scheduler
        `local`: a Dask worker process per core of this machine, up to eight; `threads`: as many
        threads of this process; `tcp://host:port`: a Dask scheduler that runs already, whose
        workers see the same files.

    Raises
    ------
    ConfigError
        If `scheduler` is none of these or does not answer.
    """
    workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
    if scheduler == "threads":
        with ThreadPoolExecutor(workers) as pool:
            yield TaskRunner(pool.submit, workers + 1)
    elif scheduler == "local":
        with (
            _LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                # Any free port: the usual one is warned of where another cluster has it.
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.ERROR,
            ) as cluster,
            _Client(cluster) as client,
        ):
            yield _runner(client, workers)
    elif scheduler.startswith(("tcp://", "tls://")):
        with cluster_client(scheduler) as client:
            yield _runner(client, sum(client.nthreads().values()))
    else:
        raise ConfigError(
            f"scheduler: found {scheduler!r}, expected local, threads or a tcp:// address"
        )


@contextmanager
def cluster_client(address: str) -> Iterator[Any]:
    """Yield a client of a Dask scheduler that runs already, at `tcp://host:port`.

    Raises
    ------
    ConfigError
        If none answers there.
    """
    try:
        client = _Client(address, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"scheduler: no Dask scheduler answers at {address} ({error}); "
            "start one, or leave `scheduler` out"
        ) from error
    with client:
        yield client


def _runner(client: Any, workers: int) -> TaskRunner:
    # pure=False: the same task after a failed run must run again, not return a cached result.
    # Dask's own futures: its executor fails where a worker dies between a result and its fetching.
    return TaskRunner(partial(client.submit, pure=False), max(1, workers) + 1)
