"""A command: parameters in, one line of an error or the id of a run out, progress on the way."""

import errno
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from latentlaw.errors import LatentlawError
from latentlaw.tracking.say import say
from tqdm import tqdm

from pipelines.cli.environment import check_environment
from pipelines.cli.parameters import P, parse, usage

_PLAIN_SECONDS = 5.0
#: A disk, quota or limit is full.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def command(entry: type[P], run: Callable[[P], Any], argv: list[str] | None = None) -> NoReturn:
    """Parse `--key value` pairs, run, and exit: 0, or 2 with one line that says what to mend.

    Ctrl-C and SIGTERM end it as a shell expects, with 128 and the number of the signal, once runs
    and clusters are closed.

    What `run` returns as text, the id of its run, is printed. All else is said on stderr, so that
    a shell can keep the id: `RUN=$(mlflow run …)`.
    """
    quiet()
    arguments = sys.argv[1:] if argv is None else argv
    sys.argv[0] = os.path.relpath(sys.argv[0])  # MLflow records it as the source of runs
    if {"-h", "--help"} & set(arguments):
        print(usage(entry))
        sys.exit(0)
    try:
        with _stopped_in_peace():
            check_environment(os.environ)
            made = run(parse(entry, arguments))
    except LatentlawError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno in _FULL:
            remedy = "make room, then run the same command again: what is whole is kept"
        elif error.errno in _FORBIDDEN:
            remedy = "name another place, or have its owner let you in"
        else:
            raise
        where = f"{error.filename}: " if error.filename else ""
        say(f"error: {where}{error.strerror}; {remedy}")
        sys.exit(LatentlawError.exit_code)
    except KeyboardInterrupt as stopped:
        number = stopped.args[0] if stopped.args else signal.SIGINT
        say(
            f"stopped by {signal.Signals(number).name}; run the same command again: what is whole "
            "is kept"
        )
        sys.exit(128 + number)
    if isinstance(made, str):
        print(made)
    sys.exit(0)


@contextmanager
def _stopped_in_peace() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, and libraries not log that they were cut off."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        logging.disable()
        raise KeyboardInterrupt(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only a main thread is told of signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in caught:  # a shell lets jobs in the background ignore Ctrl-C
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


def say_metrics(metrics: Mapping[str, float], *, of: str = "") -> None:
    """Say one line per metric, in the order of their names."""
    for name, value in sorted(metrics.items()):
        say(f"{of}{name} {value:.3f}")


class ProgressBar:
    """A bar for each kind of work on a terminal; elsewhere a plain line every few seconds."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._what = ""
        self._printed = 0.0
        self._start = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show `done` of `total` units of `what`."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start, self._printed = what, now, now
            if sys.stderr.isatty():
                self._bar = tqdm(total=total, desc=what, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if done >= total:
                self._bar.close()
                self._bar = None
        elif done >= total or now - self._printed >= _PLAIN_SECONDS:
            self._printed = now
            seconds = now - self._start
            print(f"{what}: {done}/{total} in {seconds:.0f} s", file=sys.stderr, flush=True)


def for_workers(path: str, scheduler: str) -> str:
    """Return a path as workers of a cluster, in folders of their own, read it too."""
    far = "://" in scheduler and "://" not in path
    return str(Path(path).absolute()) if far else path


def use_threads() -> int:
    """Return the number of threads that one process may use, and hold torch to it."""
    import torch

    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    torch.set_num_threads(threads)
    return threads


def quiet() -> None:
    """Silence what others say of themselves and users cannot act on."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    # It raises what it writes there, traceback and all.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated")
    warnings.filterwarnings("ignore", module="sqlalchemy")
    warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator computes")  # costs are given
