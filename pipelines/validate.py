"""Check every chunk of a tomogram store; make bad ones again."""

from pathlib import Path

from latentlaw.data.validate import repair_tomogram, validate_tomogram
from latentlaw.errors import ConfigError, DataError
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run
from pydantic import Field

from pipelines._entry import Entry, ProgressBar, command, say


class Validate(Entry):
    """Read and check every chunk of tomogram stores, and repair them from their sources."""

    store: str = Field(description="tomogram store, or folder of stores")
    repair: bool = Field(False, description="make damaged shards again from `source`")
    source: str | None = Field(
        None, description="file that the store was ingested from, or its folder"
    )
    scheduler: str = Field("local", description="local, threads or a Dask address tcp://…")


def run(parameters: Validate) -> None:
    """Validate, and repair where asked; damage that is left is an error."""
    p = parameters
    if p.repair and p.source is None:
        raise ConfigError("repair: expected `source`, the file that the store was ingested from")
    with stage_run("validate", p.model_dump()):
        stores = _stores(Path(p.store))
        left: list[str] = []
        for store in stores:
            damages = validate_tomogram(store, scheduler=p.scheduler, progress=ProgressBar())
            if damages and p.source is not None and p.repair:
                repair_tomogram(
                    store, p.source, damages, scheduler=p.scheduler, progress=ProgressBar()
                )
                say(f"validate: {store}: repaired {', '.join(map(str, damages[:5]))}")
            else:
                left += [f"{store}: {damage}" for damage in damages]
        log_metrics({"validate/stores": len(stores), "validate/damaged_shards": len(left)})
        if left:
            raise DataError(
                f"{len(left)} shards are damaged; mend them with repair=true and source:\n"
                + "\n".join(left[:20])
            )
        say(f"validate: {len(stores)} stores, every chunk is whole")


def _stores(path: Path) -> list[Path]:
    stores = [path] if path.name.endswith(".zarr") else sorted(path.glob("*.ome.zarr"))
    if not stores:
        raise DataError(f"{path}: no tomogram store *.ome.zarr found")
    return stores


if __name__ == "__main__":
    configure_tracking()
    command(Validate, run)
