"""Check every chunk of stores; make bad ones of tomograms again."""

from pathlib import Path

from latentlaw.data.formats.sources import find_sources
from latentlaw.data.inspection.validate import repair_tomogram, validate_stack, validate_tomogram
from latentlaw.data.tomograms.names import tomogram_key
from latentlaw.errors import ConfigError, DataError
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import ProgressBar, command
from pipelines.cli.parameters import Entry
from pipelines.steps.tomogram_parameters import Scheduler

_TOMOGRAM, _STACK = ".ome.zarr", ".particles.zarr"
_LISTED = 20


class Validate(Entry):
    """Read and check every chunk of tomogram stores or particle stacks; repair tomograms."""

    store: str = Field(description="tomogram store, particle stack, or folder of these")
    repair: bool = Field(
        False, description="make damaged shards of a tomogram again, from `source`"
    )
    source: str | None = Field(
        None,
        description="tomogram that the store was ingested from, or the folder of all; "
        "none: no repair",
    )
    scheduler: Scheduler = "local"


def run(parameters: Validate) -> None:
    """Validate, and repair where asked; damage that is left is an error."""
    p = parameters
    if p.repair and p.source is None:
        raise ConfigError(
            "source: found none, expected what the store was ingested from, for repair"
        )
    with stage_run("validate", p.model_dump()):
        stores = _stores(Path(p.store))
        left = [line for store in stores for line in _validate(store, p)]
        log_metrics({"validate/stores": len(stores), "validate/damaged": len(left)})
        if left:
            remedy = "mend tomograms with repair=true and source, make stacks again"
            raise DataError("\n".join([f"{len(left)} damaged; {remedy}:", *left[:_LISTED]]))
        say(f"validate: every chunk of {len(stores)} stores is whole")


def _validate(store: Path, p: Validate) -> list[str]:
    """Return what is damaged and not repaired, a line each."""
    if store.name.endswith(_STACK):
        return validate_stack(store, progress=ProgressBar())
    damages = validate_tomogram(store, scheduler=p.scheduler, progress=ProgressBar())
    if not damages or not p.repair or p.source is None:
        return [f"{store}: {damage}" for damage in damages]
    repair_tomogram(
        store,
        _original(Path(p.source), store),
        damages,
        scheduler=p.scheduler,
        progress=ProgressBar(),
    )
    say(f"validate: {store}: repaired {', '.join(map(str, damages[:5]))}")
    return []


def _original(source: Path, store: Path) -> Path:
    """Return the tomogram of the store's name, where `source` is the folder of all."""
    if not source.is_dir() or source.suffix == ".zarr":
        return source
    name = tomogram_key(store.name)
    found = [path for path in find_sources(source) if tomogram_key(path.name) == name]
    if len(found) != 1:
        raise DataError(f"{source}: found {len(found)} tomograms named {name}, expected one")
    return found[0]


def _stores(path: Path) -> list[Path]:
    if path.name.endswith((_TOMOGRAM, _STACK)):
        return [path]
    stores = [each for end in (_TOMOGRAM, _STACK) for each in sorted(path.glob(f"*{end}"))]
    if not stores:
        raise DataError(f"{path}: found no store, expected *{_TOMOGRAM} or *{_STACK}")
    return stores


if __name__ == "__main__":
    configure_tracking()
    command(Validate, run)
