"""Collect labelled images or subvolumes."""

from pathlib import Path

from latentlaw.data.collect import collect
from latentlaw.tracking.runs import configure_tracking, stage_run
from pydantic import Field

from pipelines._entry import Entry, ProgressBar, command


class Collect(Entry):
    """Collect a folder of labelled images or subvolumes, or an .npz, into a particle stack."""

    source: str = Field(
        description="folder (labels.csv, or class folders, or CLASS_… names), .npz"
    )
    out: str = Field(description="particle stack to make, NAME.particles.zarr")
    box: int | None = Field(None, ge=4, description="crop or pad to this edge; none: keep")
    merge: str | None = Field(None, description="join classes: Interphase=G1+S+G2")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Collect) -> Path:
    """Collect and return the stack."""
    p = parameters
    with stage_run("collect", p.model_dump()):
        return collect(
            p.source,
            p.out,
            box=p.box,
            merge=p.merge,
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )


if __name__ == "__main__":
    configure_tracking()
    command(Collect, run)
