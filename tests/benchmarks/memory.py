"""Memory of a command with all its processes, and of a server."""

import subprocess
import time

import psutil


def peak_memory(command: list[str]) -> int:
    """Run a command and return the most bytes that it and its children held at once.

    Pages that several processes share count once (proportional set size).

    Raises
    ------
    CalledProcessError
        If the command fails.
    """
    process = subprocess.Popen(command)
    peak, root = 0, psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, _held(root))
        time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def server_memory(address: str) -> int:
    """Return the resident bytes of the process of ours that listens at `http://HOST:PORT`.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    port = int(address.rsplit(":", 1)[1])
    for process in psutil.Process().children(recursive=True):
        if any(c.laddr.port == port for c in process.net_connections() if c.status == "LISTEN"):
            return int(process.memory_info().rss)
    raise RuntimeError(f"no process listens at {address}")


def _held(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:  # one ended while we looked
        pass
    return total
