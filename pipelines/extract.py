"""Extract particles from tomogram stores."""

from pathlib import Path
from typing import Literal

from latentlaw.data.extract import extract
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run
from pydantic import Field

from pipelines._entry import Entry, ProgressBar, command, say


class Extract(Entry):
    """Cut a box about each coordinate into a particle stack."""

    tomograms: str = Field(description="folder of tomogram stores, or one store")
    coordinates: str = Field(description="RELION STAR or CSV of particle positions")
    out: str = Field(description="particle stack to make, NAME.particles.zarr")
    label: str | None = Field(None, description="label column; none: rlnClassNumber if there")
    box: int = Field(32, ge=4, le=512, description="edge of a box, voxels")
    pixel_size: float | None = Field(
        None, gt=0, description="angstrom a pixel of the coordinates; none: as the file says"
    )
    edge: Literal["skip", "pad", "fail"] = Field("skip", description="boxes that cross a face")
    scheduler: str = Field("local", description="local, threads or a Dask address tcp://…")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Extract) -> Path:
    """Extract and return the stack."""
    p = parameters
    with stage_run("extract", p.model_dump()):
        report = extract(
            p.tomograms,
            p.coordinates,
            p.out,
            label=p.label,
            box=p.box,
            pixel_size_a=p.pixel_size,
            edge=p.edge,
            scheduler=p.scheduler,
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )
        counts = {
            "extracted": report.extracted,
            "skipped": report.skipped,
            "padded": report.padded,
        }
        log_metrics({f"extract/{name}": count for name, count in counts.items()})
        say("extract: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
        return report.path


if __name__ == "__main__":
    configure_tracking()
    command(Extract, run)
