"""Simulate tomograms with known truth."""

from pathlib import Path
from typing import Annotated

import torch
from latentlaw.data.mrc import read_map, write_mrc
from latentlaw.data.output import new_output
from latentlaw.data.phantoms import PHANTOMS, phantom_map
from latentlaw.data.simulate import Acquisition, Volume, simulate_tomogram
from latentlaw.data.star_writing import write_star
from latentlaw.errors import DataError
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run
from pydantic import BeforeValidator, Field

from pipelines._entry import Entry, ProgressBar, command, split_commas

Shape = Annotated[
    tuple[Annotated[int, Field(ge=16, le=4096)], ...],
    BeforeValidator(split_commas),
    Field(min_length=3, max_length=3),
]


class Simulate(Entry):
    """Simulate MRC tomograms, `particles.star` with true pose and class, and the templates."""

    out: str = Field(description="folder to make")
    templates: str = Field("phantoms", description="phantoms, or a folder of MRC density maps")
    tomograms: int = Field(2, ge=1, le=1000, description="how many to simulate")
    shape: Shape = Field((64, 192, 192), description="voxels z,y,x")
    voxel_size: float = Field(10.0, gt=0, description="angstrom a voxel")
    particles: int = Field(100, ge=1, description="particles in each tomogram")
    snr: float = Field(0.1, gt=0, description="variance of signal over variance of noise")
    tilt_range: float = Field(60.0, gt=0, le=90, description="degrees; 90 leaves no wedge")
    box: int = Field(32, ge=8, le=512, description="box of phantom templates, voxels")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Simulate) -> Path:
    """Simulate and return the folder."""
    p = parameters
    with stage_run("simulate", p.model_dump()):
        templates = _templates(p)
        z, y, x = p.shape
        acquisition = Acquisition((z, y, x), p.voxel_size, p.snr, p.tilt_range)
        generator = torch.Generator().manual_seed(p.seed)
        progress, tables = ProgressBar(), []
        with new_output(p.out, overwrite=p.overwrite) as folder:
            (folder / "tomograms").mkdir(parents=True)
            (folder / "templates").mkdir()
            for name, template in templates.items():
                write_mrc(folder / "templates" / f"{name}.mrc", template, p.voxel_size)
            for i in range(p.tomograms):
                simulated = simulate_tomogram(
                    f"tomo_{i:03d}",
                    templates,
                    acquisition,
                    particles=p.particles,
                    generator=generator,
                )
                path = folder / "tomograms" / f"tomo_{i:03d}.mrc"
                write_mrc(path, simulated.volume, p.voxel_size)
                tables.append(simulated.particles)
                progress(i + 1, p.tomograms, "simulate")
            write_star(folder / "particles.star", tables, p.voxel_size)
        log_metrics({"simulate/particles": sum(map(len, tables))})
        return Path(p.out)


def _templates(p: Simulate) -> dict[str, Volume]:
    if p.templates == "phantoms":
        return {name: phantom_map(make(), p.box, p.voxel_size) for name, make in PHANTOMS.items()}
    paths = sorted(path for path in Path(p.templates).glob("*.mrc*") if path.is_file())
    if not paths:
        raise DataError(f"{p.templates}: no density map found; expected files .mrc or .mrc.gz")
    maps = {}
    for path in paths:
        data, size = read_map(path)
        if size is not None and abs(size - p.voxel_size) > 0.01 * p.voxel_size:
            raise DataError(f"{path}: {size:g} angstrom a voxel, voxel_size is {p.voxel_size:g}")
        maps[path.name.split(".")[0]] = data
    return maps


if __name__ == "__main__":
    configure_tracking()
    command(Simulate, run)
