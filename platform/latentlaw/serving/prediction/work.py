"""Where a prediction is worked on: a folder that can be gone on with, workers, and the model."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import torch

from latentlaw.data.scheduler import TaskRunner, open_scheduler
from latentlaw.data.storage.output import remove, resumable_output
from latentlaw.progress import Progress
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.prediction.answering import ModelPlace
from latentlaw.serving.prediction.batch_size import fitting_batch, free_bytes
from latentlaw.serving.prediction.parts import begin_or_go_on
from latentlaw.training.devices import DeviceName, pick_device
from latentlaw.training.identity import code_version

_WORK, _MODEL, _PARTS = "work", "model", "parts"


class Part(Protocol):
    """A part of the work, whose result is kept in a file of its own."""

    @property
    def out(self) -> Path:
        """Where the result goes."""

    def __len__(self) -> int: ...


P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Settings:
    """How a prediction is worked on; none of it changes what comes out but by rounding.

    Attributes
    ----------
    scheduler
        As in `open_scheduler`.
    batch_size
        Particles to embed at once; None: as many as fit into memory (`fitting_batch`).
    """

    scheduler: str = "threads"
    batch_size: int | None = None
    device: DeviceName = "auto"
    overwrite: bool = False


@dataclass(frozen=True)
class Work:
    """A prediction that was begun, or is gone on with.

    Attributes
    ----------
    folder
        Where results are written; it becomes the output.
    """

    folder: Path
    model: ModelPlace
    tasks: TaskRunner

    def part(self, name: str) -> Path:
        """Return where a part of the result is kept until all are there."""
        return self.folder / _WORK / _PARTS / f"{name}.parquet"

    def finish(
        self, function: Callable[[P], None], parts: Sequence[P], what: str, progress: Progress
    ) -> None:
        """Have workers make the parts that are not there yet; `progress` counts their items."""
        left = [part for part in parts if not part.out.exists()]
        total = sum(map(len, parts))
        done = total - sum(map(len, left))
        for part, _ in zip(left, self.tasks.map(function, left), strict=True):
            done += len(part)
            progress(done, total, what)


@contextmanager
def open_work(
    out: str | Path, bundle: Bundle, plan: Mapping[str, Any], settings: Settings
) -> Iterator[Work]:
    """Yield the work on a prediction; when the block ends, the folder `out` is there.

    Workers load the model from the folder, which they see as they see the data. So one that goes
    on uses the same model, with the same batches: rounding depends on their size.

    Parameters
    ----------
    out
        Folder to write.
    bundle
        The model, which is saved for workers to load.
    plan
        What is predicted, in plain JSON values; model, code and device are added.
    settings
        Scheduler, batch size, device, and whether to overwrite.

    Raises
    ------
    ConfigError
        If `out` exists and is not to be overwritten, another process writes to it, or there is no
        such device or scheduler.
    """
    device = pick_device(settings.device)
    digest = _digest(bundle)
    known = {
        **plan,
        "model": digest,
        "code": [code_version(), str(torch.__version__)],
        "device": settings.device,
        "batch_size": settings.batch_size,
    }
    with (
        resumable_output(out, overwrite=settings.overwrite) as folder,
        open_scheduler(settings.scheduler) as tasks,
        _a_thread_each(settings.scheduler, tasks.workers),
    ):
        work = folder / _WORK

        def begin() -> dict[str, Any]:
            bundle.save(work / _MODEL)
            (work / _PARTS).mkdir()
            size = settings.batch_size
            if size is None:
                free = min(tasks.map(_free_bytes, [settings.device] * tasks.workers))
                size = fitting_batch(bundle.model, free, tasks.workers, device)
            return {"batch_size": size}

        chosen = begin_or_go_on(work, known, begin)
        place = ModelPlace(str(work / _MODEL), digest, settings.device, chosen["batch_size"])
        yield Work(folder, place, tasks)
        remove(work)


@contextmanager
def _a_thread_each(scheduler: str, workers: int) -> Iterator[None]:
    """Share the processor out among worker threads of this process; others have their own."""
    if scheduler != "threads":
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _free_bytes(device: DeviceName) -> int:
    return free_bytes(pick_device(device))


def _digest(bundle: Bundle) -> str:
    """Return the SHA-256 of a bundle's files."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, _MODEL)
        bundle.save(folder)
        files = sorted(folder.iterdir())
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
