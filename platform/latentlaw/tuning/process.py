"""A trial's process as seen from its supervisor: what it reports, and how it ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from typing import Any, Literal

from latentlaw.tuning.server import PIPE, Request

_LOOK_S = 1.0
State = Literal["complete", "pruned", "failed", "dead"]


@dataclass(frozen=True)
class Outcome:
    """How a trial ended; `dead`: with its process, by no word of its own."""

    state: State
    measures: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


class TrialServer:
    """Starts `python -m MODULE`, which calls `serve`, and runs one task of it at a time.

    Parameters
    ----------
    module
        Name of the module.
    folder
        Working directory.
    environment
        Variables that differ from those of this process.
    """

    def __init__(self, module: str, folder: str, environment: Mapping[str, str]) -> None:
        self._pipe, theirs = Pipe()
        inherited = {k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"}
        # Of a session of its own: what interrupts the supervisor is the supervisor's to handle.
        self._process = subprocess.Popen(  # noqa: S603 - our own module by our own Python
            [sys.executable, "-m", module],
            cwd=folder,
            env=inherited | dict(environment) | {PIPE: str(theirs.fileno())},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._closed = False

    def run(
        self,
        request: Request,
        *,
        prune: Callable[[int, float], bool],
        beat: Callable[[], None],
    ) -> Outcome:
        """Run a trial to its end.

        Parameters
        ----------
        request
            What the trial is given.
        prune
            Told of an epoch and its value; whether to end the trial.
        beat
            Called at every report, and at least every second.
        """
        outcome = Outcome("dead", error="the process of the trial ended without a word")
        try:
            self._pipe.send(request)
            while True:
                beat()
                if not self._pipe.poll(_LOOK_S):
                    if not self.alive:
                        raise EOFError  # a trial that is left holds the pipe open
                    continue
                kind, *content = self._pipe.recv()
                if kind == "report":
                    self._pipe.send(prune(*content))
                elif kind == "exit":
                    return outcome if content[0] == 0 else _died(content[0])
                else:
                    outcome = _told(kind, content[0])
        except (EOFError, OSError):
            self.close()
            return Outcome("dead", error=f"the process of trials {_ending(self._process.poll())}")
        except BaseException:
            self.close()  # the trial waits for an answer
            raise

    @property
    def alive(self) -> bool:
        """Whether it can run another task."""
        return not self._closed and self._process.poll() is None

    def close(self) -> None:
        """End it, and the trial that runs; any thread may."""
        if not self._closed:
            self._closed = True  # once only: a number may be given to another group later
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _told(kind: State, content: Any) -> Outcome:
    return Outcome(kind, content) if kind == "complete" else Outcome(kind, error=content)


def _died(code: int) -> Outcome:
    return Outcome("dead", error=f"the process of the trial {_ending(code)}")


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        cause = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"was ended by {name}{cause}"
    return f"ended with exit code {code}"
