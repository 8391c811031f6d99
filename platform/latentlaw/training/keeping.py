"""When a run is kept: at its start, every so often, at its end, and when it is told to stop."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from latentlaw.errors import PreemptedError
from latentlaw.training.checkpoints import Checkpoint, write_checkpoint

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class StopRequest:
    """Whether the process was asked to stop: by Ctrl-C, or by SLURM's USR1 or TERM."""

    def __init__(self) -> None:
        self.name = ""

    def __call__(self, number: int, _: FrameType | None = None) -> None:
        """Note the signal, on which the loop acts between two steps; a second Ctrl-C ends it now.

        Raises
        ------
        KeyboardInterrupt
            At a Ctrl-C after another.
        """
        if number == signal.SIGINT and self.name == "SIGINT":
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Catch INT, TERM and USR1 for a while; only a main thread is told of signals."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Keeper:
    """Writes the checkpoints of a run.

    Attributes
    ----------
    folder
        Where to, held by `checkpoint_folder`; None: another process keeps the run.
    every_s
        Seconds between checkpoints, so of work that a killed run loses; 0: after each step.
    identity, run_id
        Kept with each checkpoint.
    found
        The checkpoint to go on from, or None.
    stop
        Whether to stop.
    """

    folder: Path | None
    every_s: float = 60.0
    identity: dict[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    found: Checkpoint | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    _kept_s: float = field(default_factory=time.monotonic)

    def between_steps(self, take: Callable[["Keeper"], Checkpoint], *, stop: bool) -> None:
        """Keep what `take` returns if it is time to.

        Raises
        ------
        PreemptedError
            After keeping it, if this process or one that trains with it was asked to `stop`.
        """
        if not stop and time.monotonic() - self._kept_s < self.every_s:
            return
        self.keep(take)
        if stop:
            by = f"{self.stop.name} received" if self.stop.name else "another process was stopped"
            how = "resume" if self.folder is None else f"resume={self.folder}"
            raise PreemptedError(f"{by}: the run was kept; go on with {how}")

    def keep(self, take: Callable[["Keeper"], Checkpoint]) -> None:
        """Keep what `take` returns."""
        if self.folder is not None:
            write_checkpoint(self.folder, take(self))
        self._kept_s = time.monotonic()
