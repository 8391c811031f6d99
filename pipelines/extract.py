"""Extract particles from tomogram stores."""

from pathlib import Path

from latentlaw.data.extraction.extract import ExtractReport, extract_particles
from latentlaw.data.extraction.review import NonfinitePolicy
from latentlaw.data.inspection.previews import particle_gallery
from latentlaw.data.particles.stack import open_stack
from latentlaw.tracking.recording.runs import configure_tracking, log_image, log_metrics, stage_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import ProgressBar, command, for_workers
from pipelines.cli.parameters import Entry
from pipelines.steps.tomogram_parameters import (
    Box,
    Edge,
    Label,
    Missing,
    OfProtein,
    PixelSize,
    Scheduler,
)


class Extract(Entry):
    """Cut a box about each coordinate into a particle stack."""

    tomograms: str = Field(description="tomogram store, a folder of them, or a copick tree")
    coordinates: str = Field(
        description="RELION STAR, CSV, copick JSON or tree, or SHREC's list of particles"
    )
    out: str = Field(description="particle stack to make, NAME.particles.zarr")
    label: Label = None
    box: Box = 32
    pixel_size: PixelSize = None
    edge: Edge = "skip"
    missing: Missing = "fail"
    nonfinite: NonfinitePolicy = Field(
        "fail", description="what to do with boxes that hold NaN or infinite voxels"
    )
    deduplicate: bool = Field(
        False, description="keep the first of particles at one place or with one id"
    )
    contrast: OfProtein = "bright"
    scheduler: Scheduler = "threads"
    append: bool = Field(False, description="add to the stack at `out`, if there is one")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Extract) -> Path:
    """Extract and return the stack."""
    p = parameters
    with stage_run("extract", p.model_dump()):
        report = extract_particles(
            for_workers(p.tomograms, p.scheduler),
            p.coordinates,
            for_workers(p.out, p.scheduler),
            label=p.label,
            box=p.box,
            pixel_size_a=p.pixel_size,
            edge=p.edge,
            missing=p.missing,
            nonfinite=p.nonfinite,
            deduplicate=p.deduplicate,
            contrast=p.contrast,
            scheduler=p.scheduler,
            append=p.append,
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )
        counts = report.counts
        log_metrics({f"extract/{name}": count for name, count in counts.items()})
        say("extract: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
        log_image("previews/particles.png", particle_gallery(open_stack(report.path)))
        for line in _remarks(report):
            say(f"extract: {line}")
        return report.path


def _remarks(report: ExtractReport) -> list[str]:
    """Say what the user should look at, a line each."""
    lines = list(report.warnings)
    for what, names in (
        ("constant boxes, which become zeros in training", report.constant),
        ("tomograms without particles", report.tomograms_without_particles),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            lines.append(f"{len(names)} {what}: {', '.join(names[:5])}{more}")
    return lines


if __name__ == "__main__":
    configure_tracking()
    command(Extract, run)
