"""Predictions as files: `predictions.parquet`, and `predictions.star` for RELION and its kin."""

from pathlib import Path

import pandas as pd

from latentlaw.data.star.reading import CLASS_NUMBER, LABEL, QUATERNION
from latentlaw.data.star.text import StarText
from latentlaw.data.star.writing import write_star

TABLE, STAR = "predictions.parquet", "predictions.star"
_PLACE = ["tomogram", "z", "y", "x"]
_TEXT = "expression"  # too long for a STAR file
_FORMER = {LABEL: "former_class", CLASS_NUMBER: "former_class_number"}


def write_predictions(
    folder: Path,
    particles: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    class_names: tuple[str, ...],
    source: StarText | None,
    pixel_size_a: float | None,
) -> None:
    """Write what a model says of particles, in their order.

    The Parquet file has one row per particle: `particle_id`, the answers, the known `label` if any
    has one, `tomogram` and `z y x` in angstrom; picks have a `score`.

    The STAR file is the particles' own, token for token, if they come from one. Then, as after
    RELION's own jobs, `rlnClassNumber` and, if the model finds orientations, the angles are those
    of this prediction; the class that the file had before is kept in `latentlawFormerClass` and
    `latentlawFormerClassNumber`. All else that is said is in columns of ours.

    Parameters
    ----------
    folder
        Which is there, to write the files into.
    particles
        Rows with `particle_id, label, tomogram, z, y, x`, and the quaternion where it is known.
    answers
        `class, probability, novelty, z0…` and, of a model that finds orientations, `qw qx qy qz`,
        a row for each of the particles.
    class_names
        The model's classes, which `rlnClassNumber` counts from 1.
    source
        The STAR file of the particles, a row for each.
    pixel_size_a
        Of the coordinates of a STAR file that is made anew; None: they are in angstrom.
    """
    posed = set(QUATERNION) <= set(answers)
    known = ["label"] if particles["label"].notna().any() else []
    scored = ["score"] if "score" in particles else []
    own = particles[["particle_id", *scored]], particles[[*known, *_PLACE]]
    table = pd.concat((own[0], answers, own[1]), axis="columns")
    table.to_parquet(folder / TABLE, index=False)
    rows = particles.assign(label=answers["class"], **{q: answers[q] for q in QUATERNION if posed})
    others = answers.drop(columns=["class", _TEXT, *QUATERNION], errors="ignore")
    write_star(
        folder / STAR,
        pd.concat((rows, others, _former(source)), axis="columns"),
        pixel_size_a or 1.0,
        source=source,
        updated=["label", "pose"] if posed else ["label"],
        class_names=class_names,
    )


def _former(source: StarText | None) -> pd.DataFrame:
    """Return the classes that a STAR file has, as they are written, by the names to keep them."""
    present = [] if source is None else source.particles.columns
    names = {column: name for column, name in _FORMER.items() if column in present}
    if source is None or not names:
        return pd.DataFrame()
    return source.particles.table(names).rename(columns=names)
