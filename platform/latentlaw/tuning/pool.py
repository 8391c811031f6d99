"""Where trials run: processes of this machine, or of the workers of a Dask cluster.

Each thread that supervises trials has a process of its own that these are forked from, with its
share of the cores and, here, one of the GPUs; workers of a cluster are told theirs. The processes
are their pool's: another pool on the same workers has processes of its own.
"""

import itertools
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from dask import distributed

from latentlaw.data.scheduler import cluster_client
from latentlaw.errors import ConfigError
from latentlaw.tuning.process import TrialServer

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_GPUS = "CUDA_VISIBLE_DEVICES"
_here = threading.local()
_servers: dict[str, list[TrialServer]] = defaultdict(list)  # by pool


@dataclass(frozen=True)
class Pool:
    """Runs `slots` trials at once; `key` tells it from others on the same workers."""

    executor: Executor
    slots: int
    key: str


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def local_pool(workers: int) -> Iterator[Pool]:
    """Yield a pool of `workers`, which share the cores and GPUs of this machine.

    Raises
    ------
    ConfigError
        If there are fewer cores than workers.
    """
    if workers > cores():
        raise ConfigError(
            f"workers: found {workers}, expected at most {cores()}, one core each; use "
            f"workers={cores()}, or a cluster by scheduler=tcp://…"
        )
    slots, gpus = itertools.count(), visible_gpus()

    def claim_share() -> None:
        _here.environment = share(next(slots), workers, gpus)

    executor = ThreadPoolExecutor(workers, initializer=claim_share)
    key = uuid4().hex
    try:
        yield Pool(executor, workers, key)
    finally:
        close_servers(key)  # so that no thread waits for a trial any more
        executor.shutdown(cancel_futures=True)


@contextmanager
def cluster_pool(address: str) -> Iterator[Pool]:
    """Yield a pool of one trial per thread of each worker of a Dask cluster.

    Raises
    ------
    ConfigError
        If no scheduler answers there, or it has no workers.
    """
    with cluster_client(address) as client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise ConfigError(
                f"scheduler: found no workers at {address}, expected at least one; start some"
            )
        key = uuid4().hex
        try:
            # pure=False: the same trial after a failed task must not be a cached result.
            yield Pool(client.get_executor(pure=False), slots, key)
        finally:
            client.run(close_servers, key, on_error="ignore")


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, by number or name."""
    import torch  # here, since workers of a cluster are told theirs and need not wait for it

    told = os.environ.get(_GPUS)
    found = map(str, range(torch.cuda.device_count())) if told is None else told.split(",")
    return [gpu for gpu in found if gpu]


def share(slot: int, workers: int, gpus: Sequence[str] = ()) -> dict[str, str]:
    """Return the variables that give the `slot`-th of `workers` its cores and one of the GPUs."""
    limit = int(os.environ.get("OMP_NUM_THREADS") or cores())
    threads = max(1, min(limit, cores() // workers))
    environment = dict.fromkeys(_THREADS, str(threads))
    return environment | ({_GPUS: gpus[slot % len(gpus)]} if gpus else {})


def trial_server(
    pool: str, module: str, folder: str, environment: Mapping[str, str]
) -> TrialServer:
    """Return this thread's process that trials of a pool are forked from, started if need be."""
    wanted = (pool, module, folder, dict(environment))
    server: TrialServer | None = getattr(_here, "server", None)
    if server is None or not server.alive or _here.of != wanted:
        if server is not None:
            server.close()  # of a pool that was killed, or waits for this thread
        server = TrialServer(module, folder, {**environment, **_share_here()})
        _here.server, _here.of = server, wanted
        _servers[pool].append(server)
    return server


def close_servers(pool: str) -> None:
    """End every process that trials of a pool are forked from, and the trials."""
    for server in _servers.pop(pool, ()):
        server.close()


def _share_here() -> dict[str, str]:
    """Return this thread's share: of `local_pool`, or on a Dask worker of all on its machine."""
    told: dict[str, str] | None = getattr(_here, "environment", None)
    if told is not None:
        return told
    worker = distributed.get_worker()
    host = worker.address.rpartition(":")[0]
    threads = distributed.get_client().nthreads()
    return share(0, sum(n for address, n in threads.items() if address.rpartition(":")[0] == host))
