"""Collect labelled images or subvolumes."""

from pathlib import Path

from latentlaw.data.collection.collect import collect_particles
from latentlaw.data.inspection.previews import particle_gallery
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import DataError
from latentlaw.tracking.recording.runs import configure_tracking, log_image, log_metrics, stage_run
from pydantic import Field

from pipelines.cli.command import ProgressBar, command
from pipelines.cli.parameters import Entry


class Collect(Entry):
    """Collect a folder of labelled images or subvolumes, or an .npz, into a particle stack."""

    source: str = Field(
        description="folder (labels.csv, or a folder per class, or names CLASS_…), or .npz"
    )
    out: str = Field(description="particle stack to make, NAME.particles.zarr")
    box: int | None = Field(
        None, ge=4, description="edge to crop or pad to, pixels or voxels; none: keep"
    )
    merge: str | None = Field(
        None, description="classes to join, as in Interphase=G1+S+G2; none: keep all"
    )
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Collect) -> Path:
    """Collect and return the stack; files that are bad are an error once the others are done."""
    p = parameters
    with stage_run("collect", p.model_dump()):
        report = collect_particles(
            p.source,
            p.out,
            box=p.box,
            merge=p.merge,
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )
        log_metrics(
            {"collect/particles": report.collected, "collect/failures": len(report.failures)}
        )
        log_image("previews/particles.png", particle_gallery(open_stack(report.path)))
        if report.failures:
            total = report.collected + len(report.failures)
            done = f"{report.collected} of {total} images collected in {report.path}; not:"
            raise DataError("\n".join([done, *report.failures]))
        return report.path


if __name__ == "__main__":
    configure_tracking()
    command(Collect, run)
