"""Runs that a dead process left open: found by the process that each run names, and closed."""

import os
import socket
from dataclasses import dataclass

import psutil
from mlflow.tracking import MlflowClient

from latentlaw.tracking.names import TAG_PROCESS
from latentlaw.tracking.store.failures import reading, store_exists
from latentlaw.tracking.store.paging import newest_runs


@dataclass(frozen=True)
class OpenRuns:
    """Runs whose status is RUNNING, by id: of dead processes here, and of other machines."""

    dead: tuple[str, ...]
    elsewhere: dict[str, str]


def this_process() -> str:
    """Return what names this process for good: a process id alone is given to another later."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def close_dead_runs(tracking_uri: str, *, mend: bool = True) -> OpenRuns:
    """Find the runs whose process, on this machine, is dead; mark them KILLED unless not `mend`.

    Raises
    ------
    DataError
        If the store cannot be read.
    """
    dead: list[str] = []
    elsewhere: dict[str, str] = {}
    if not store_exists(tracking_uri):
        return OpenRuns((), {})
    client = MlflowClient(tracking_uri)
    with reading(tracking_uri):
        open_runs = f"attributes.status = 'RUNNING' AND tags.`{TAG_PROCESS}` LIKE '%'"
        for run in newest_runs(client, open_runs):
            process = run.data.tags[TAG_PROCESS]
            if not _is_here(process):
                elsewhere[run.info.run_id] = process.rsplit(":", 2)[0]
            elif is_gone(process):
                dead.append(run.info.run_id)
                if mend:
                    client.set_terminated(run.info.run_id, "KILLED")
    return OpenRuns(tuple(dead), elsewhere)


def is_gone(process: str) -> bool:
    """Tell whether a process, as `this_process` names it, was on this machine and has ended."""
    _, pid, began = process.rsplit(":", 2)
    return _is_here(process) and not _lives(int(pid), float(began))


def _is_here(process: str) -> bool:
    return process.rsplit(":", 2)[0] == socket.gethostname()


def _lives(pid: int, began: float) -> bool:
    try:
        process = psutil.Process(pid)
        # The clock that it is derived from may be set by less than a second meanwhile.
        alive = abs(process.create_time() - began) < 1
        return bool(alive and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
