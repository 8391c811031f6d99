"""Simulate tomograms with known truth."""

from pathlib import Path
from typing import Annotated

import torch
from latentlaw.data.simulation.microscope import Acquisition, Optics
from latentlaw.data.simulation.rendering import Volume
from latentlaw.data.simulation.simulate import simulate
from latentlaw.data.simulation.templates import phantom_templates, read_templates, select_classes
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run
from pydantic import BeforeValidator, Field

from pipelines.cli.command import ProgressBar, command
from pipelines.cli.parameters import Entry, split_commas

PHANTOMS = "phantoms"
Shape = Annotated[
    tuple[Annotated[int, Field(ge=16, le=4096)], ...],
    BeforeValidator(split_commas),
    Field(min_length=3, max_length=3),
]
Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]


class Simulate(Entry):
    """Simulate MRC tomograms, `particles.star` with true pose and class, and the templates."""

    out: str = Field(description="folder to make")
    templates: str = Field(
        PHANTOMS,
        description="phantoms, or a folder of density maps (MRC) or atomic models (PDB, mmCIF)",
    )
    classes: Names | None = Field(
        None, description="templates to take, as in 1bxn,1qvr; none: all"
    )
    tomograms: int = Field(2, ge=1, le=1000, description="tomograms to simulate")
    shape: Shape = Field((64, 192, 192), description="size of a tomogram z,y,x, voxels")
    voxel_size: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="edge of a voxel, angstrom"
    )
    particles: int = Field(100, ge=1, description="particles per tomogram")
    snr: float = Field(
        0.1, gt=0, description="variance of the signal over that of the noise; inf: no noise"
    )
    contrast: Contrast = Field("bright", description="protein bright, or dark as in raw data")
    tilt_range: float = Field(
        60.0,
        gt=0,
        le=90,
        description="tilts run from minus to plus this angle, degrees; 90: no missing wedge",
    )
    tilt_step: float | None = Field(
        None, ge=0.1, description="angle between tilts, degrees; none: all angles within the range"
    )
    defocus: float | None = Field(
        None, ge=1000, le=200000, description="underfocus, angstrom; none: no CTF"
    )
    voltage: float = Field(300.0, ge=50, le=1500, description="acceleration voltage, kV")
    spherical_aberration: float = Field(
        2.7, ge=0, le=10, description="spherical aberration Cs, mm"
    )
    amplitude_contrast: float = Field(
        0.1, ge=0, lt=1, description="fraction of the contrast that is of amplitude"
    )
    phase_flipped: bool = Field(False, description="correct the sign of the CTF")
    box: int = Field(32, ge=8, le=512, description="edge of phantom templates, voxels")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Simulate) -> Path:
    """Simulate and return the folder."""
    p = parameters
    with stage_run("simulate", p.model_dump()):
        truth = simulate(
            _templates(p),
            p.out,
            _acquisition(p),
            tomograms=p.tomograms,
            particles=p.particles,
            generator=torch.Generator().manual_seed(p.seed),
            overwrite=p.overwrite,
            progress=ProgressBar(),
        )
        log_metrics({"simulate/particles": len(truth)})
        return Path(p.out)


def _templates(p: Simulate) -> dict[str, Volume]:
    if p.templates != PHANTOMS:
        return read_templates(p.templates, voxel_size_a=p.voxel_size, classes=p.classes or ())
    phantoms = phantom_templates(p.box, p.voxel_size)
    return select_classes(phantoms, p.classes or (), PHANTOMS)


def _acquisition(p: Simulate) -> Acquisition:
    z, y, x = p.shape
    optics = None
    if p.defocus is not None:
        optics = Optics(
            p.defocus, p.voltage, p.spherical_aberration, p.amplitude_contrast, p.phase_flipped
        )
    return Acquisition(
        shape=(z, y, x),
        voxel_size_a=p.voxel_size,
        snr=p.snr,
        tilt_range_deg=p.tilt_range,
        tilt_step_deg=p.tilt_step,
        optics=optics,
        contrast=p.contrast,
    )


if __name__ == "__main__":
    configure_tracking()
    command(Simulate, run)
