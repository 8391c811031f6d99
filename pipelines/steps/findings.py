"""What works on this machine and what does not, each with what to do about it."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import mlflow
import psutil
import torch
from latentlaw.data.inspection.validate import validate_stack, validate_tomogram
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.discovery.search.engines.selection import ENGINES, make_engine
from latentlaw.errors import LatentlawError
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.reading.origins import stack_of, training_run
from latentlaw.tracking.reading.stored_models import aliases, lost_models
from latentlaw.tracking.recording.processes import close_dead_runs
from latentlaw.tracking.recording.spool import send_left
from latentlaw.tracking.store.failures import reading, store_exists
from latentlaw.tracking.store.server import check_server
from latentlaw.training.devices import check_compiler, pick_device, pick_precision

_GIB = 2**30
_MOST_LOST = 5  # named, of runs whose models are gone
_LITTLE_DISK_GIB = 5  # a tomogram of 4 GiB, and what is made of it


@dataclass(frozen=True)
class Finding:
    """What was looked at; `lacks` works without, `broken` does not."""

    state: Literal["works", "lacks", "broken"]
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:6}  {self.what}" + (f"; {self.remedy}" if self.remedy else "")


def machine() -> Iterator[Finding]:
    """Look at Python, cores, memory and disk."""
    memory = psutil.virtual_memory()
    yield Finding(
        "works",
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, "
        f"{memory.available / _GIB:.0f} of {memory.total / _GIB:.0f} GiB memory free",
    )
    free = shutil.disk_usage(Path.cwd()).free / _GIB
    if free < _LITTLE_DISK_GIB:
        yield Finding("lacks", f"disk: {free:.1f} GiB free here", "make room before an ingest")
    else:
        yield Finding("works", f"disk: {free:.0f} GiB free here")
    if not os.access(Path.cwd(), os.W_OK):
        yield Finding("broken", f"{Path.cwd()} cannot be written to", "start from another folder")


def accelerator() -> Iterator[Finding]:
    """Look for a GPU, and for what `compile=true` needs."""
    device = pick_device("auto")
    if device.type == "cpu":
        yield Finding(
            "lacks",
            "GPU: torch finds none, training is on the CPU",
            "" if torch.version.cuda is None else "install a driver for this build of torch",
        )
    else:
        name, precision = torch.cuda.get_device_name(device), pick_precision("auto", device)
        yield Finding("works", f"GPU: {torch.cuda.device_count()} x {name}, {precision}")
    yield _tried("compile=true", "a kernel was made", lambda: check_compiler(device), "lacks")


def engines() -> Iterator[Finding]:
    """Look for the engines of symbolic regression."""
    for name in ENGINES:
        if name != "auto":
            found = make_engine(name).available()
            text = f"engine={name}: {found.version if found.ok else found.reason}"
            yield Finding("works" if found.ok else "lacks", text)


def tracking(uri: str, *, mend: bool) -> Iterator[Finding]:
    """Look at the tracking store, and at what is in it if it answers."""
    if not store_exists(uri):
        yield Finding("lacks", f"tracking store: no {uri} yet", "the first run makes it")
        return
    answer = _tried("tracking store", "answers", lambda: _ask(uri))
    yield answer
    if answer.state == "works":
        try:
            yield from open_runs(uri, mend=mend)
            yield from models(uri)
        except LatentlawError as error:
            yield Finding("broken", str(error))


def open_runs(uri: str, *, mend: bool) -> Iterator[Finding]:
    """Look at metrics that wait to be sent, and at runs of dead processes."""
    if mend:
        yield _tried("metrics that wait", "none left", lambda: send_left(uri))
    found = close_dead_runs(uri, mend=mend)
    for run_id in found.dead:
        done = "marked KILLED" if mend else "mark it KILLED by mend=true"
        state: Literal["works", "broken"] = "works" if mend else "broken"
        yield Finding(state, f"run {run_id}: its process is dead", done)
    for run_id, host in found.elsewhere.items():
        yield Finding("lacks", f"run {run_id}: runs on {host}, or did", "ask there")
    if not found.dead:
        yield Finding("works", "no run of a dead process on this machine")


def stores(folder: Path, *, deep: bool) -> Iterator[Finding]:
    """Open each tomogram store and particle stack below a folder; if `deep`, read every chunk."""
    for path in sorted(folder.rglob("*.ome.zarr")):
        check = partial(_check_chunks, open_tomogram, validate_tomogram, path, deep)
        yield _tried(str(path), "whole", check)
    for path in sorted(folder.rglob("*.particles.zarr")):
        check = partial(_check_chunks, open_stack, validate_stack, path, deep)
        yield _tried(str(path), "whole", check)


def models(uri: str) -> Iterator[Finding]:
    """Look for the files of each model, and load those that aliases name, checking digests."""
    with reading(uri):
        lost, aliased = lost_models(uri), aliases(uri)
    for run_id in lost[:_MOST_LOST]:
        text = f"run {run_id}: the files of its model are gone"
        yield Finding("lacks", text, f"`mlflow runs delete --run-id {run_id}`, or train again")
    if len(lost) > _MOST_LOST:
        yield Finding("lacks", f"{len(lost) - _MOST_LOST} more runs whose models are gone")
    for name in aliased:
        yield _tried(name, "loads", partial(load_logged_bundle, name))
    for path in sorted({gone for name in aliased if (gone := _stack_gone(name))}):
        text = f"{path}: the stack that a registered model was trained on is not there"
        yield Finding("lacks", text, "models answer without it; to evaluate one, put it back")


def _tried(
    what: str, good: str, act: Callable[[], object], bad: Literal["lacks", "broken"] = "broken"
) -> Finding:
    try:
        act()
    except LatentlawError as error:
        return Finding(bad, f"{what}: {error}")
    return Finding("works", f"{what}: {good}")


def _ask(uri: str) -> None:
    check_server(uri)
    with reading(uri):
        mlflow.search_experiments(max_results=1)


def _stack_gone(model: str) -> str | None:
    """Return where a model's stack was if it is a local path and nothing is there."""
    try:
        stack = stack_of(training_run(model))
    except LatentlawError:
        return None  # a model of others, or of a run that was deleted
    gone = stack is not None and "://" not in stack.path and not Path(stack.path).exists()
    return stack.path if stack is not None and gone else None


def _check_chunks(
    opened: Callable[[Path], Any], validated: Callable[[Path], list[Any]], path: Path, deep: bool
) -> None:
    opened(path)
    if deep and (damages := validated(path)):
        raise LatentlawError(
            f"found {len(damages)} damaged, first {damages[0]}; see the entry validate"
        )
