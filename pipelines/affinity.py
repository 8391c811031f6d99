"""Compute an affinity from density maps or atomic models."""

from pathlib import Path
from typing import Literal

import mlflow
from latentlaw.data.formats.mrc import open_mrc
from latentlaw.data.formats.structures import read_structure, structure_map
from latentlaw.data.simulation.templates import is_model, template_paths
from latentlaw.data.storage.output import new_output
from latentlaw.errors import ConfigError
from latentlaw.priors.files import write_affinity
from latentlaw.priors.maps import MapMethod, map_affinity
from latentlaw.priors.shells import DensityMap
from latentlaw.priors.soap import soap_affinity
from latentlaw.priors.table import AffinityTable
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import ProgressBar, command
from pipelines.cli.parameters import Entry
from pipelines.figures.affinity import affinity_heatmap


class Affinity(Entry):
    """Compute how alike the shapes of density maps or atomic models are, as an affinity CSV."""

    templates: str = Field(description="folder of MRC maps, PDB or mmCIF files, one per class")
    out: str = Field(description="affinity CSV to make")
    method: Literal["soap"] | MapMethod = Field(
        "harmonics",
        description="measure of shape; soap: for atomic models only; correlation, fsc: of "
        "the best rotation",
    )
    resolution: float = Field(
        30.0, ge=5, le=500, description="resolution that shapes are compared at, angstrom"
    )
    voxel_size: float | None = Field(
        None,
        gt=0,
        description="edge of a voxel, angstrom, for maps whose header does not say; none: "
        "as it says",
    )
    assembly: str = Field(
        "auto",
        description="assembly of atomic models; auto: the first that a file lists; "
        "deposited; or a name",
    )
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Affinity) -> Path:
    """Compute the table, and return its path."""
    p = parameters
    with stage_run("affinity", p.model_dump()):
        with new_output(p.out, overwrite=p.overwrite) as partial:
            table = compute(p)
            write_affinity(partial, table)
        mlflow.log_artifact(p.out)
        mlflow.log_figure(affinity_heatmap(table), "figures/affinity.png")
        measured = {"smallest_eigenvalue": table.smallest_eigenvalue, "floor": table.floor}
        log_metrics({f"affinity/{name}": value for name, value in measured.items()})
        say(
            f"{p.out}: {len(table.class_names)} classes, smallest eigenvalue "
            f"{table.smallest_eigenvalue:.3f}, floor of the affinity loss {table.floor:.3f}"
        )
        return Path(p.out)


def compute(p: Affinity) -> AffinityTable:
    """Read the templates and compare them.

    Raises
    ------
    ConfigError
        If SOAP is asked for and a template is a map.
    DataError
        If a template cannot be read, or there are not enough.
    """
    paths = template_paths(p.templates)
    if p.method != "soap":
        maps = [read_density(name, path, p) for name, path in paths.items()]
        return map_affinity(maps, p.method, resolution_a=p.resolution, progress=ProgressBar())
    for path in paths.values():
        if not is_model(path):
            raise ConfigError(
                f"{path}: found a density map, expected an atomic model (PDB or mmCIF) for "
                "method=soap; use method=harmonics, correlation or fsc"
            )
    atoms = {
        name: read_structure(path, assembly=p.assembly).positions_a for name, path in paths.items()
    }
    return soap_affinity(atoms, resolution_a=p.resolution)


def read_density(name: str, path: Path, p: Affinity) -> DensityMap:
    """Read a map, or render a structure finely enough for the resolution."""
    if not is_model(path):
        volume = open_mrc(path, voxel_size_a=p.voxel_size)
        return DensityMap(name, volume.data, volume.voxel_size_a)
    voxel_size = p.resolution / 4
    structure = read_structure(path, assembly=p.assembly)
    return DensityMap(name, structure_map(structure, voxel_size_a=voxel_size), voxel_size)


if __name__ == "__main__":
    configure_tracking()
    command(Affinity, run)
