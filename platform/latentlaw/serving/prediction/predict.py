"""Batch prediction: a bundle's answers for whole stacks, and for particles of tomograms."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.extraction.placement import NEAREST, EdgePolicy, MissingPolicy, place
from latentlaw.data.extraction.review import NonfinitePolicy
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.star_rows import kept_star
from latentlaw.data.star.text import StarText, read_star_text
from latentlaw.data.table import particle_table
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.data.tomograms.names import common_voxel_size, tomograms_by_name
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.errors import DataError
from latentlaw.progress import Progress, silent
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.prediction.answering import ROW, Cutting, StackPart, TomogramPart, answer
from latentlaw.serving.prediction.checks import box_of, check_shape, check_stores, check_voxel_size
from latentlaw.serving.prediction.predictions import write_predictions
from latentlaw.serving.prediction.work import Settings, Work, open_work

_BATCHES_A_PART = 32  # about a second of work, and as many images in memory
_NEAR = 256  # voxels: particles within a cube of this edge come together, so that it is read once


@dataclass(frozen=True)
class Placing:
    """How coordinates become boxes of a tomogram; see `extract_particles`."""

    edge: EdgePolicy = "pad"
    missing: MissingPolicy = "fail"
    contrast: Contrast = "bright"
    pixel_size_a: float | None = None


@dataclass(frozen=True)
class PredictReport:
    """What became of the particles.

    Attributes
    ----------
    nonfinite
        Particles left out because of NaN or infinite voxels.
    skipped
        Particles left out because they, or their box, lie outside.
    warnings
        What the user should look at, a sentence each.
    """

    path: Path
    predicted: int
    nonfinite: int
    skipped: int = 0
    padded: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many particles met each fate."""
        names = ("predicted", "skipped", "padded", "nonfinite")
        return {name: getattr(self, name) for name in names}


def predict_stack(
    bundle: Bundle,
    source: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    nonfinite: NonfinitePolicy = "fail",
    progress: Progress = silent,
) -> PredictReport:
    """Answer for every particle of a stack, in its order, into the folder `out`.

    A prediction that was killed goes on where it broke off when it is called again, and ends with
    the same bytes. `predictions.write_predictions` says what the files hold.

    Parameters
    ----------
    bundle
        The model that answers.
    source
        Particle stack, `NAME.particles.zarr`.
    out
        Folder to write.
    settings
        Scheduler, batch size, device, and whether to overwrite.
    nonfinite
        What to do with images that have NaN or infinite values: `fail`, naming the particles,
        `drop` them, or `zero` those values.
    progress
        Told how many particles are done.

    Raises
    ------
    DataError
        If there is no stack, it is empty, its images are not of the model's shape or voxel size,
        or values are not finite.
    ConfigError
        If `out` exists and is not to be overwritten, or there is no such device or scheduler.
    """
    stack = open_stack(source)
    if not len(stack):
        raise DataError(f"{stack.path}: found no particles, expected one at least; extract some")
    check_shape(bundle.model.config, stack.item_shape, stack.path)
    warnings = check_voxel_size(bundle.model.config, stack.voxel_size_a, stack.path)
    plan = {"stack": stack.digest, "particles": len(stack), "nonfinite": nonfinite}
    with open_work(out, bundle, plan, settings) as work:
        step = _BATCHES_A_PART * work.model.batch_size
        parts = [
            StackPart(
                model=work.model,
                stack=stack.path,
                digest=stack.digest,
                start=start,
                stop=min(start + step, len(stack)),
                nonfinite=nonfinite,
                out=work.part(f"{start:09d}"),
            )
            for start in range(0, len(stack), step)
        ]
        answers = _answered(parts, work, progress)
        rows = answers.pop(ROW).to_numpy()
        write_predictions(
            work.folder,
            stack.table.iloc[rows].reset_index(drop=True),
            answers,
            class_names=bundle.class_names,
            source=_rows_of(kept_star(stack), rows),
            pixel_size_a=stack.voxel_size_a,
        )
    return PredictReport(
        Path(out), len(answers), nonfinite=len(stack) - len(answers), warnings=warnings
    )


def predict_particles(
    bundle: Bundle,
    source: str | Path,
    coordinates: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    placing: Placing = Placing(),
    nonfinite: NonfinitePolicy = "fail",
    progress: Progress = silent,
) -> PredictReport:
    """Answer for particles of tomograms, in the order of their list; else as `predict_stack`.

    Boxes are cut as `extract` cuts them, and no stack is written.

    Parameters
    ----------
    bundle
        The model that answers.
    source
        A tomogram store, a folder of them, or a copick tree.
    coordinates
        RELION STAR, CSV with `tomogram, z, y, x` in angstrom, copick JSON or SHREC locations.
    out
        Folder to write.
    settings
        Scheduler, batch size, device, and whether to overwrite.
    placing
        How the list and the tomograms are read, and boxes are placed.
    nonfinite
        As in `predict_stack`.
    progress
        Told how many particles are done.

    Raises
    ------
    DataError, ConfigError
        As `extract` and `predict_stack`.
    """
    box = box_of(bundle.model.config, source)
    stores = tomograms_by_name(source)
    warnings = check_stores(bundle.model.config, stores, source)
    star = read_star_text(coordinates) if Path(coordinates).suffix == ".star" else None
    placed = place(
        read_coordinates(coordinates, pixel_size_a=placing.pixel_size_a),
        stores,
        box,
        source=coordinates,
        edge=placing.edge,
        missing=placing.missing,
        deduplicate=False,
    )
    plan = {
        "tomograms": {name: tomogram.digest for name, tomogram in sorted(stores.items())},
        "coordinates": hashlib.sha256(placed.rows.to_csv().encode()).hexdigest(),
        "contrast": placing.contrast,
        "nonfinite": nonfinite,
    }
    with open_work(out, bundle, plan, settings) as work:
        cutting = Cutting(box, placing.contrast, nonfinite)
        answers = answer_placed(work, stores, placed.rows, cutting, progress)
        rows = answers.pop(ROW).to_numpy()
        write_predictions(
            work.folder,
            particle_table(placed.rows.set_index(ROW).loc[rows].reset_index(drop=True)),
            answers,
            class_names=bundle.class_names,
            source=_rows_of(star, rows),
            pixel_size_a=common_voxel_size(stores),
        )
    return PredictReport(
        Path(out),
        len(answers),
        nonfinite=len(placed.rows) - len(answers),
        skipped=placed.skipped,
        padded=placed.padded,
        warnings=(*warnings, *placed.warnings),
    )


def answer_placed(
    work: Work,
    stores: Mapping[str, Tomogram],
    rows: pd.DataFrame,
    cutting: Cutting,
    progress: Progress,
) -> pd.DataFrame:
    """Answer for placed particles, `rows` of `place`: a table of `row` and answers, by `row`."""
    step = _BATCHES_A_PART * work.model.batch_size
    parts = []
    for name, each in rows.groupby("tomogram", sort=True):
        near = each[NEAREST].to_numpy() // _NEAR
        order = np.lexsort((each[ROW], *near.T[::-1]))
        parts += [
            TomogramPart(
                model=work.model,
                tomogram=stores[str(name)],
                rows=each.iloc[order[start : start + step]],
                cutting=cutting,
                out=work.part(f"{name}-{start:09d}"),
            )
            for start in range(0, len(each), step)
        ]
    return _answered(parts, work, progress)


def _answered(
    parts: Sequence[StackPart | TomogramPart], work: Work, progress: Progress
) -> pd.DataFrame:
    """Have all parts answered, and return the answers in the order of `row`."""
    work.finish(answer, parts, "predict", progress)
    tables = [table for part in parts if len(table := pd.read_parquet(part.out))]
    if not tables:
        raise DataError(
            f"{parts[0].name}: found NaN or infinite voxels in all particles, expected one at "
            "least without; mend the images, or pass nonfinite=zero"
        )
    return pd.concat(tables, ignore_index=True).sort_values(ROW, ignore_index=True)


def _rows_of(star: StarText | None, rows: NDArray[np.integer[Any]]) -> StarText | None:
    """Return a STAR file with these of its particles, in this order."""
    return None if star is None else star.with_particles(star.particles.select(rows))
