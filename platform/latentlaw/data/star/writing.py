"""Particle tables as RELION STAR files: new ones, or a source file with some columns updated."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.star.euler import quaternion_to_euler, relative
from latentlaw.data.star.reading import (
    ANGLES,
    CENTRED,
    CLASS_NUMBER,
    LABEL,
    OPTICS_GROUP,
    ORIGIN_A,
    PARTICLE_ID,
    POSITION_CENTRED_A,
    POSITION_PX,
    QUATERNION,
    TOMOGRAM,
    known_columns,
    pixel_sizes,
    subtomogram_frame,
)
from latentlaw.data.star.text import StarText, encode_star, star_block
from latentlaw.data.table import COLUMNS, particle_table
from latentlaw.errors import DataError

Update = Literal["pose", "label"]
Columns = dict[str, Sequence[object]]


def write_star(
    path: str | Path,
    particles: pd.DataFrame | list[pd.DataFrame],
    pixel_size_a: float = 1.0,
    *,
    source: StarText | None = None,
    updated: Collection[Update] = (),
    sizes_a: Mapping[str, tuple[float, float, float]] | None = None,
    class_names: Sequence[str] | None = None,
) -> None:
    """Write particle tables as a RELION STAR file.

    Columns that a particle table does not have, such as `probability`, are written as
    `latentlawProbability`. `rlnClassNumber` counts `class_names` from 1, and is 0 where there is
    no label.

    Parameters
    ----------
    path
        File to write.
    particles
        Rows with `tomogram, z, y, x` (angstrom), quaternion, `label` and `particle_id`.
    pixel_size_a
        Angstrom a pixel of the tomograms, where there is no `source`.
    source
        The STAR file that the rows came from, one row each in the same order. Its blocks and
        columns are kept, token for token; only what `updated` names is written anew.
    updated
        Of `pose` and `label`, what is to replace the source's.
    sizes_a
        Sizes `(z, y, x)` of the tomograms in angstrom. If they are given, positions are written
        both from the corner, which Warp wants, and from the centre, which RELION 5 wants.
    class_names
        Classes in the order of their numbers; None: the labels that occur, sorted.

    Raises
    ------
    DataError
        If rows and source do not match, or a position counts from the centre of its tomogram.
    """
    tables = [particles] if isinstance(particles, pd.DataFrame) else particles
    rows = pd.concat(tables, ignore_index=True)
    if CENTRED in rows and rows[CENTRED].astype(bool).any():
        raise DataError(
            f"{path}: found positions from the centre of their tomogram; "
            "make them absolute with `absolute_positions`, which takes the tomograms' sizes"
        )
    table = particle_table(rows)
    star = _new_star(path, table, pixel_size_a) if source is None else source
    if len(star.particles.rows) != len(table):
        raise DataError(
            f"{path}: found {len(table)} particles, expected the {len(star.particles.rows)} of "
            f"{star.source}"
        )
    due = {"pose", "label"} if source is None else set(updated)
    columns: Columns = {}
    if "pose" in due:
        columns |= _pose(star, table)
    if "label" in due:
        names = sorted(table["label"].dropna().unique()) if class_names is None else class_names
        codes = pd.Categorical(table["label"], categories=list(names)).codes.astype(int) + 1
        columns |= {CLASS_NUMBER: codes.tolist(), LABEL: table["label"].tolist()}
    if source is None:
        columns[PARTICLE_ID] = table["particle_id"].tolist()
    for name in [name for name in rows if name not in COLUMNS and name != CENTRED]:
        camel = "".join(part.capitalize() for part in str(name).split("_"))
        columns[f"latentlaw{camel}"] = rows[name].tolist()
    if sizes_a is not None:
        columns |= _both_positions(star, table, sizes_a)
    whole = star.with_particles(star.particles.with_columns(columns))
    Path(path).write_bytes(encode_star(whole))


def _new_star(path: str | Path, table: pd.DataFrame, pixel_size_a: float) -> StarText:
    """Make a STAR file of one optics group with the tomograms and positions of `table`.

    A column that is unknown of every particle is left out, as of subvolumes without tomogram.
    """
    optics = pd.DataFrame(
        {
            OPTICS_GROUP: [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnTomoTiltSeriesPixelSize": [float(pixel_size_a)],
        }
    )
    block = pd.DataFrame(
        {
            TOMOGRAM: table["tomogram"],
            **{f"rlnCoordinate{axis.upper()}": table[axis] / pixel_size_a for axis in "xyz"},
            **dict.fromkeys(ORIGIN_A, 0.0),
            OPTICS_GROUP: 1,
        }
    )
    known = block.dropna(axis="columns", how="all") if len(block) else block
    blocks = (star_block("optics", optics), star_block("particles", known))
    return StarText(str(path), blocks)


def _pose(star: StarText, table: pd.DataFrame) -> Columns:
    """Return the angles of each particle, in its subtomogram's frame where the file has one."""
    quaternion = table[QUATERNION].to_numpy(dtype=np.float64, copy=True)
    quaternion[np.isnan(quaternion).any(axis=1)] = (1.0, 0.0, 0.0, 0.0)
    frame = subtomogram_frame(star.source, known_columns(star))
    angles = quaternion_to_euler(quaternion if frame is None else relative(frame, quaternion))
    return dict(zip(ANGLES, angles.T.tolist(), strict=True))


def _both_positions(
    star: StarText, table: pd.DataFrame, sizes_a: Mapping[str, tuple[float, float, float]]
) -> Columns:
    """Return positions in the forms that the file has not, without origin shift if it has none.

    The shift is in both forms the same, so a form follows from the other by the tomogram's size.
    """
    missing = sorted(set(table["tomogram"].astype(str)) - set(sizes_a))
    if missing:
        raise DataError(
            f"{star.source}: found no size of tomograms {', '.join(missing[:5])} in sizes_a"
        )
    known = known_columns(star)
    half = table["tomogram"].astype(str).map({n: np.divide(s, 2) for n, s in sizes_a.items()})
    half_xyz = np.stack(half.tolist())[:, ::-1]
    pixel = pixel_sizes(star, known)[:, None]
    columns: Columns = {}
    if not set(POSITION_CENTRED_A) <= set(known):
        columns |= _named(POSITION_CENTRED_A, _floats(known, POSITION_PX) * pixel - half_xyz)
    if not set(POSITION_PX) <= set(known):
        columns |= _named(POSITION_PX, (_floats(known, POSITION_CENTRED_A) + half_xyz) / pixel)
    return columns


def _floats(table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    return np.asarray(table[columns], dtype=np.float64)


def _named(names: list[str], values: NDArray[np.float64]) -> Columns:
    return dict(zip(names, values.T.tolist(), strict=True))
