"""Ingest tomograms into OME-Zarr."""

from pathlib import Path

from latentlaw.data.inspection.previews import orthogonal_slices
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.names import tomogram_key
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_image,
    log_metrics,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import ProgressBar, command, for_workers
from pipelines.cli.parameters import Entry
from pipelines.steps.tomogram_parameters import Scheduler

_PREVIEWS = 20


class Ingest(Entry):
    """Convert tomogram files to sharded, checksummed OME-Zarr stores."""

    source: str = Field(description="tomogram file, folder or glob")
    out: str = Field(description="folder for the stores")
    voxel_size: float | None = Field(
        None, gt=0, description="edge of a voxel, angstrom; none: as the header says"
    )
    chunk: int = Field(
        128, ge=8, le=1024, description="edge of a chunk, what is read at once, voxels"
    )
    shard: int = Field(
        512,
        ge=8,
        le=4096,
        description="edge of a shard, a file of chunks, voxels; a multiple of chunk",
    )
    levels: int = Field(
        3, ge=1, le=8, description="levels of the pyramid, each at half the sampling"
    )
    scheduler: Scheduler = "local"
    overwrite: bool = Field(False, description="replace stores at `out`")


def run(parameters: Ingest) -> list[Path]:
    """Ingest and return the stores; sources that are bad are an error once the others are done."""
    p = parameters
    with stage_run("ingest", p.model_dump()):
        report = ingest_tomograms(
            for_workers(p.source, p.scheduler),
            for_workers(p.out, p.scheduler),
            voxel_size_a=p.voxel_size,
            chunk=p.chunk,
            shard=p.shard,
            levels=p.levels,
            scheduler=p.scheduler,
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )
        log_metrics(
            {"ingest/tomograms": len(report.stores), "ingest/failures": len(report.failures)}
        )
        for store in report.stores[:_PREVIEWS]:
            log_image(
                f"previews/{tomogram_key(store.name)}.png", orthogonal_slices(open_tomogram(store))
            )
        for name, note in report.notes.items():
            say(f"ingest: {name}: {note}")
        tag_run(source_notes=report.notes)
        if report.failures:
            done = f"{len(report.stores)} of {len(report.stores) + len(report.failures)} ingested"
            raise DataError("\n".join([f"{done}; not:", *report.failures]))
        return report.stores


if __name__ == "__main__":
    configure_tracking()
    command(Ingest, run)
