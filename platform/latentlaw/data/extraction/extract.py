"""Extraction: boxes about coordinates, each chunk of a tomogram decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from latentlaw.data.extraction.boxes import cut_boxes
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.extraction.placement import EdgePolicy, MissingPolicy, place
from latentlaw.data.extraction.review import NonfinitePolicy, Review
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.star_rows import check_star, extend_star, keep_star
from latentlaw.data.particles.writer import grown_stack, new_stack
from latentlaw.data.scheduler import open_scheduler
from latentlaw.data.star.text import read_star_text
from latentlaw.data.storage.output import check_new
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.data.tomograms.names import common_voxel_size, tomograms_by_name
from latentlaw.errors import ConfigError
from latentlaw.progress import Progress, silent


@dataclass(frozen=True)
class ExtractReport:
    """What became of the particles listed.

    Attributes
    ----------
    skipped, padded
        Particles left out because they lie outside or their box crosses a face; boxes filled up.
    nonfinite
        Particles with NaN or infinite voxels, dropped or with zeros in their place.
    constant
        Ids of particles whose voxels are all the same; a model's normalisation makes them zeros.
    duplicates
        Particles at the place, or with the id, of an earlier one.
    unknown_tomograms
        Names without a store, whose particles were left out.
    tomograms_without_particles
        Stores that no particle lies in.
    warnings
        What the user should look at, a sentence each.
    """

    path: Path
    extracted: int
    skipped: int
    padded: int
    nonfinite: int = 0
    constant: tuple[str, ...] = ()
    duplicates: int = 0
    unknown_tomograms: tuple[str, ...] = ()
    tomograms_without_particles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many particles, or tomograms, met each fate."""
        return {
            "extracted": self.extracted,
            "skipped": self.skipped,
            "padded": self.padded,
            "nonfinite": self.nonfinite,
            "constant": len(self.constant),
            "duplicates": self.duplicates,
            "unknown_tomograms": len(self.unknown_tomograms),
        }


def extract_particles(
    tomograms: str | Path | Sequence[str | Path],
    coordinates: str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    box: int = 32,
    edge: EdgePolicy = "skip",
    missing: MissingPolicy = "fail",
    nonfinite: NonfinitePolicy = "fail",
    deduplicate: bool = False,
    contrast: Contrast = "bright",
    scheduler: str = "threads",
    append: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
    pixel_size_a: float | None = None,
) -> ExtractReport:
    """Cut a cubic box about each particle into a stack, grouped by tomogram.

    A particle's position falls on voxel box//2: boxes are cut about the nearest voxel, and what
    is left, less than half a voxel per axis, is taken out by linear interpolation. A stack cut
    from a STAR file keeps it, with the rows of its own particles (`star_rows.kept_star`).

    Parameters
    ----------
    tomograms
        A tomogram store, a folder of them, a copick tree, or several.
    coordinates
        RELION STAR, CSV with `tomogram, z, y, x` in angstrom, copick JSON or SHREC locations.
    out
        Stack to make, or with `append` to add to.
    label
        Column of the class; None or `auto` takes the usual one, if there is one.
    box
        Edge of a box in voxels, even.
    edge
        What to do where a box crosses a face: `skip` it, `pad` with the mean of the voxels that
        are there, or `fail`. A particle whose position is outside is skipped under `pad` too.
    missing
        What to do with particles of a tomogram that has no store: `fail`, or `skip` them.
    nonfinite
        What to do with a box that has NaN or infinite voxels: `fail`, naming the particles,
        `drop` it, or `zero` those voxels.
    deduplicate
        Keep only the first of particles at one place of a tomogram, or with one id.
    contrast
        How protein looks in the tomograms. A stack holds it bright, so boxes of tomograms where
        it is `dark`, as in raw data, change their sign.
    scheduler
        As in `open_scheduler`. Decoding and interpolation leave the interpreter's lock, so
        threads keep pace with the writer, and boxes need not travel between processes.
    append
        Add to the stack at `out`, if there is one; all that is added counts at once, or none.
    overwrite
        Replace what is at `out`.
    progress
        Called with particles done and in all.
    pixel_size_a
        Angstrom a pixel of the coordinates, for files that do not say.

    Raises
    ------
    DataError
        If a tomogram is missing, positions are in a wrong unit, voxels are NaN or infinite, or
        no particle is left.
    ConfigError
        If `box` is odd, a policy unknown, or `out` is there already or cannot be written.
    """
    _check(box, edge=edge, missing=missing, nonfinite=nonfinite, contrast=contrast)
    grown = append and Path(out).exists()
    if not grown:
        check_new(Path(out), overwrite=overwrite)
    stores = tomograms_by_name(tomograms)
    size = common_voxel_size(stores)
    listed = read_coordinates(coordinates, label=label, pixel_size_a=pixel_size_a)
    plan = place(
        listed,
        stores,
        box,
        source=coordinates,
        edge=edge,
        missing=missing,
        deduplicate=deduplicate,
    )
    review = Review(nonfinite)
    star = read_star_text(coordinates) if Path(coordinates).suffix == ".star" else None
    if grown:
        check_star(open_stack(out), star, coordinates)
    shape = (1, box, box, box)
    with (
        grown_stack(out, item_shape=shape, voxel_size_a=size)
        if grown
        else new_stack(out, item_shape=shape, voxel_size_a=size, overwrite=overwrite) as writer,
        open_scheduler(scheduler) as tasks,
    ):
        done = 0
        for name, rows in plan.rows.groupby("tomogram", sort=True):
            store = stores[str(name)]
            for images, cut in cut_boxes(store, rows, box, tasks, contrast):
                kept, these = review(images, cut)
                writer.append(kept, these.assign(source=store.name))
                done += len(cut)
                progress(done, len(plan.rows), "extract")
        review.finish(coordinates)
        if star is not None and grown:
            extend_star(open_stack(out), star, review.written())
        elif star is not None:
            keep_star(writer.folder, star, review.written())
    return ExtractReport(
        path=Path(out),
        extracted=len(review.written()),
        skipped=plan.skipped,
        padded=plan.padded,
        nonfinite=len(review.nonfinite),
        constant=tuple(review.constant),
        duplicates=plan.duplicates,
        unknown_tomograms=plan.unknown_tomograms,
        tomograms_without_particles=tuple(sorted(set(stores) - set(plan.rows["tomogram"]))),
        warnings=plan.warnings,
    )


def _check(box: int, **policies: str) -> None:
    if box < 2 or box % 2:
        raise ConfigError(f"box: found {box}, expected an even number of voxels, 2 or more")
    known = {
        "edge": EdgePolicy,
        "missing": MissingPolicy,
        "nonfinite": NonfinitePolicy,
        "contrast": Contrast,
    }
    for name, value in policies.items():
        if value not in get_args(known[name]):
            expected = ", ".join(get_args(known[name]))
            raise ConfigError(f"{name}: found {value!r}, expected one of {expected}")
