"""One writer at a time: a lock beside an output that a dead process cannot keep."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentlaw.errors import ConfigError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `.NAME.lock` beside `path`; the system frees it when the process dies.

    Raises
    ------
    ConfigError
        At once, naming the holder, if another process writes to `path`.
    """
    lock = path.with_name(f".{path.name}.lock")
    descriptor = acquire(lock)
    if descriptor is None:
        holder = lock.read_text() if lock.exists() else ""
        raise ConfigError(
            f"{path}: being written by {holder or 'another process'}; wait for it or choose "
            "another `out`"
        )
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def acquire(lock: Path) -> int | None:
    """Open and lock the file, made if need be; None if another holds it."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file between our opening and locking it.
            if lock.exists() and os.fstat(descriptor).st_ino == lock.stat().st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.close(descriptor)
