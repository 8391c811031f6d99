"""Compute an affinity from density maps."""

from pathlib import Path
from typing import Literal

import mlflow
from latentlaw.data.mrc import read_map
from latentlaw.data.output import new_output
from latentlaw.errors import DataError
from latentlaw.priors.descriptors import harmonics_affinity
from latentlaw.priors.table import write_affinity
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run
from pydantic import Field

from pipelines._entry import Entry, command


class Affinity(Entry):
    """Compute how alike the shapes of density maps are, as an affinity CSV."""

    templates: str = Field(
        description="folder of MRC maps, one a class, at one voxel size and box"
    )
    out: str = Field(description="CSV to make")
    method: Literal["harmonics"] = Field("harmonics", description="shape descriptor")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Affinity) -> Path:
    """Compute the table, and return its path."""
    p = parameters
    with stage_run("affinity", p.model_dump()):
        paths = sorted(path for path in Path(p.templates).glob("*.mrc*") if path.is_file())
        if not paths:
            raise DataError(f"{p.templates}: no density map found; expected files .mrc or .mrc.gz")
        maps = {path.name.split(".")[0]: read_map(path)[0] for path in paths}
        table = harmonics_affinity(maps)
        with new_output(p.out, overwrite=p.overwrite) as partial:
            write_affinity(partial, table)
        mlflow.log_artifact(p.out)
        log_metrics({"affinity/smallest_eigenvalue": table.smallest_eigenvalue})
        return Path(p.out)


if __name__ == "__main__":
    configure_tracking()
    command(Affinity, run)
