"""The process that trials are forked from: all is imported, and nothing has begun.

Imports take seconds and a fork milliseconds. Each trial is a process all the same, whose crash
ends nothing else; it also ends with the process that supervises it, whose end of the pipe closes.
"""

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from latentlaw.errors import LatentlawError, PrunedError

#: Environment variable with the file descriptor of the pipe.
PIPE = "LATENTLAW_TRIAL_PIPE"

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Request:
    """A trial to run, as it goes through the pipe.

    Attributes
    ----------
    values, drawn
        Parameters that all trials have in common, and those that were drawn for this one.
    objectives
        Measures that the study asks for, by name.
    prunable
        Whether the first objective is to be reported after each epoch.
    run_id
        Of the trial's MLflow run.
    log
        File that the output of its process goes to.
    """

    values: Mapping[str, Any]
    drawn: Mapping[str, Any]
    objectives: tuple[str, ...]
    prunable: bool
    run_id: str
    log: str = os.devnull


#: Trains as it is asked to and returns measures by name.
TrialFunction = Callable[[Request, Report], Mapping[str, float]]


def serve(run: TrialFunction) -> NoReturn:
    """Fork a process for each request that comes through the pipe, one at a time."""
    pipe = Connection(int(os.environ.pop(PIPE)))
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            sys.exit(0)
        if not isinstance(request, Request):
            continue  # the answer to a report, whose trial died before it came
        child = os.fork()
        if child == 0:
            _become_trial(pipe, request, run)
        _, status = os.waitpid(child, 0)
        try:
            pipe.send(("exit", os.waitstatus_to_exitcode(status)))
        except BrokenPipeError:
            sys.exit(0)


def _become_trial(pipe: Connection, request: Request, run: TrialFunction) -> NoReturn:
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, answers), daemon=True).start()

    def report(epoch: int, value: float) -> None:
        pipe.send(("report", epoch, value))
        if answers.get():
            raise PrunedError(f"pruned after epoch {epoch}")

    pipe.send(_outcome(request, run, report))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _outcome(
    request: Request, run: TrialFunction, report: Report
) -> tuple[str, dict[str, float] | str]:
    try:
        return "complete", dict(run(request, report))
    except PrunedError as pruned:
        return "pruned", str(pruned)
    except LatentlawError as error:
        print(f"latentlaw: error: {error}", file=sys.stderr)
        return "failed", str(error)
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"


def _listen(pipe: Connection, answers: "queue.SimpleQueue[bool]") -> None:
    """Pass on answers; end this process when nobody is left to ask."""
    while True:
        try:
            answers.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)
