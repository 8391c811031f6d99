"""RELION particle STAR files as particle tables; `writing` writes them.

Positions are `(coordinate - origin)` in angstrom. RELION 5's centred coordinates count from half
the tomogram's size, `(nx/2, ny/2, nz/2)` voxels, not rounded (`TomogramSet::loadTomogram` and
`ParticleSet::getParticleCoordDecenteredPixel` of RELION 5): from voxel n//2 where n is even.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.star.euler import compose, euler_to_quaternion, rotate_xyz
from latentlaw.data.star.text import StarText, read_star_text
from latentlaw.errors import DataError, nearest_hint

#: Set on positions that RELION 5 gives from the tomogram's centre; `absolute_positions` resolves.
CENTRED = "centred"
POSITION_PX = [f"rlnCoordinate{axis}" for axis in "XYZ"]
POSITION_CENTRED_A = [f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]
ORIGIN_A = [f"rlnOrigin{axis}Angst" for axis in "XYZ"]
ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
#: The subtomogram's own orientation, which origins and angles are relative to.
BOX_ANGLES = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
LABEL, CLASS_NUMBER, PARTICLE_ID = "latentlawClass", "rlnClassNumber", "latentlawParticleId"
TOMOGRAM, OPTICS_GROUP = "rlnTomoName", "rlnOpticsGroup"
QUATERNION = ["qw", "qx", "qy", "qz"]
_ORIGIN_PX = [f"rlnOrigin{axis}" for axis in "XYZ"]
# The first that a file has; coordinates are in pixels of the original micrograph or tilt series.
_PIXEL_SIZES = [
    "rlnTomoTiltSeriesPixelSize",
    "rlnMicrographOriginalPixelSize",
    "rlnImagePixelSize",
    "rlnPixelSize",
]
_MAGNIFIED = ["rlnDetectorPixelSize", "rlnMagnification"]
_NO_LABEL = {"<NA>": pd.NA, "None": pd.NA, "": pd.NA}


def read_star(
    path: str | Path, *, label: str | None = None, pixel_size_a: float | None = None
) -> pd.DataFrame:
    """Read a particle STAR file of RELION 3, 3.1, 4 or 5.

    Parameters
    ----------
    path
        The file.
    label
        Column of the class; by default `latentlawClass`, else `rlnClassNumber`, if there is one.
    pixel_size_a
        Angstrom a pixel of the coordinates, where the file does not say.

    Returns
    -------
    DataFrame
        One row per particle, in the file's order: `tomogram`, position `z y x` in angstrom less
        the origin shift, quaternion `qw qx qy qz`, `label`, `particle_id`, and `centred` where
        positions are from the tomogram's centre. `z` is null in single-particle files, which have
        no `rlnCoordinateZ` and no `rlnTomoName`; the quaternion is not there where the file has no
        angles.

    Raises
    ------
    DataError
        If the file is no STAR file, or a column that is needed is not there.
    """
    return particles_of(read_star_text(path), label=label, pixel_size_a=pixel_size_a)


def particles_of(
    star: StarText, *, label: str | None = None, pixel_size_a: float | None = None
) -> pd.DataFrame:
    """Return the particles of a STAR file that is read; parameters and table as in `read_star`.

    Raises
    ------
    DataError
        If a column or a pixel size that is needed is not there, or a cell is not a number.
    """
    source = star.source
    particles = known_columns(star, label)
    names = _tomograms(source, star, particles)
    pixel = pixel_sizes(star, particles, pixel_size_a)
    centred = set(POSITION_CENTRED_A) <= set(particles)
    columns = POSITION_CENTRED_A if centred else POSITION_PX
    if TOMOGRAM not in particles and not centred and columns[2] not in particles:
        columns = columns[:2]
    if not set(columns) <= set(particles):
        raise DataError(
            f"{source}: found columns {', '.join(star.particles.columns)}, expected "
            f"{', '.join(POSITION_PX)} or {', '.join(POSITION_CENTRED_A)} among them"
        )
    position = _numbers(source, particles, columns)
    if not centred:
        if np.isnan(pixel).any():
            raise DataError(
                f"{source}: found no pixel size for its coordinates, expected one of "
                f"{', '.join(_PIXEL_SIZES)} in an optics block; pass pixel_size in angstrom"
            )
        position = position * pixel[:, None]
    frame = subtomogram_frame(source, particles)
    shift = _origin(source, particles, pixel, len(columns))
    if frame is not None and len(columns) == 3:
        shift = rotate_xyz(frame, shift)
    table = pd.DataFrame(
        dict(zip("xyz", (position - shift).T, strict=False)), columns=list("xyz"), dtype=float
    )
    table["tomogram"] = names
    table["label"] = _labels(source, star, particles, label)
    table[CENTRED] = centred
    quaternion = _orientation(source, particles, frame)
    if quaternion is not None:
        table[QUATERNION] = quaternion
    if PARTICLE_ID in particles:
        table["particle_id"] = particles[PARTICLE_ID]
    return table


def absolute_positions(
    table: pd.DataFrame, sizes_a: Mapping[str, tuple[float, float, float]], source: str | Path
) -> NDArray[np.float64]:
    """Return positions `(n, 3)` zyx in angstrom from the corner of the tomogram.

    Parameters
    ----------
    table
        Rows as `read_star` returns.
    sizes_a
        Sizes `(z, y, x)` of the tomograms in angstrom, by the name in `tomogram`.
    source
        The file, for the message.

    Raises
    ------
    DataError
        If a position counts from the centre of a tomogram whose size is not given.
    """
    position = table[["z", "y", "x"]].to_numpy(dtype=np.float64, copy=True)
    centred = np.asarray(table.get(CENTRED, pd.Series(False, index=table.index)), dtype=bool)
    names = table["tomogram"].astype(str)
    unknown = sorted(set(names[centred]) - set(sizes_a))
    if unknown:
        raise DataError(
            f"{source}: found {POSITION_CENTRED_A[0]}, which counts from the tomogram's centre, "
            f"and no size of {', '.join(unknown[:5])}; pass the tomogram's store "
            f"(make it with `ingest`), or coordinates as {', '.join(POSITION_PX)}"
        )
    halves = {name: np.divide(size, 2) for name, size in sizes_a.items()}
    for name in sorted(set(names[centred])):
        position[centred & np.asarray(names == name)] += halves[name]
    return position


def subtomogram_frame(source: str | Path, particles: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return the quaternions `(n, 4)` of the subtomograms, None where the file has none."""
    if not set(BOX_ANGLES) <= set(particles):
        return None
    return euler_to_quaternion(_numbers(source, particles, BOX_ANGLES))


def pixel_sizes(
    star: StarText, particles: pd.DataFrame, given: float | None = None
) -> NDArray[np.float64]:
    """Angstrom a pixel of the coordinates of `particles` `(n,)`; NaN where unknown."""
    if given is not None:
        return np.full(len(particles), given)
    optics = star.optics
    if optics is None or OPTICS_GROUP not in particles or OPTICS_GROUP not in optics.columns:
        return _pixel_size(star.source, particles)
    groups = optics.table(_present(optics.columns, [OPTICS_GROUP]))
    sizes = _pixel_size(star.source, groups)
    numbers = _numbers(star.source, groups, [OPTICS_GROUP])[:, 0]
    of = pd.Series(_numbers(star.source, particles, [OPTICS_GROUP])[:, 0])
    return np.asarray(of.map(dict(zip(numbers, sizes, strict=True))), dtype=np.float64)


def _pixel_size(source: str, table: pd.DataFrame) -> NDArray[np.float64]:
    for name in _PIXEL_SIZES:
        if name in table:
            return _numbers(source, table, [name])[:, 0]
    if set(_MAGNIFIED) <= set(table):
        micron, magnification = _numbers(source, table, _MAGNIFIED).T
        return np.asarray(micron / magnification * 1e4)
    return np.full(len(table), np.nan)


def known_columns(star: StarText, label: str | None = None) -> pd.DataFrame:
    """Return, as text, those columns that say what and where a particle is."""
    known = [TOMOGRAM, "rlnMicrographName", LABEL, CLASS_NUMBER, PARTICLE_ID, OPTICS_GROUP]
    known += [*POSITION_PX, *POSITION_CENTRED_A, *ORIGIN_A, *_ORIGIN_PX, *ANGLES, *BOX_ANGLES]
    columns = star.particles.columns
    return star.particles.table(_present(columns, [*known, *([label] if label else [])]))


def _present(columns: Iterable[str], names: list[str]) -> list[str]:
    """Return which of `names`, and of those that tell a pixel's size, are among `columns`."""
    present = set(columns)
    wanted = dict.fromkeys([*names, *_PIXEL_SIZES, *_MAGNIFIED])
    return [name for name in wanted if name in present]


def _orientation(
    source: str, particles: pd.DataFrame, frame: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Compose a particle's two orientations `(n, 4)`; one that the file lacks is none at all."""
    if not set(ANGLES) <= set(particles):
        return frame
    turned = euler_to_quaternion(_numbers(source, particles, ANGLES))
    return turned if frame is None else compose(frame, turned)


def _origin(
    source: str, particles: pd.DataFrame, pixel: NDArray[np.float64], axes: int
) -> NDArray[np.float64]:
    """Shift `(n, axes)` in angstrom, x first, that refinement takes off the coordinates."""
    if set(ORIGIN_A[:axes]) <= set(particles):
        return _numbers(source, particles, ORIGIN_A[:axes])
    if not set(_ORIGIN_PX[:axes]) <= set(particles):
        return np.zeros((len(particles), axes))
    shift = _numbers(source, particles, _ORIGIN_PX[:axes])
    if shift.any() and np.isnan(pixel).any():
        raise DataError(
            f"{source}: found origins in pixels and no pixel size; pass pixel_size in angstrom"
        )
    return shift * np.nan_to_num(pixel)[:, None]


def _numbers(source: str | Path, table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    numeric = table[columns].apply(lambda column: pd.to_numeric(column, errors="coerce"))
    values: NDArray[np.float64] = np.asarray(numeric, dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        found = table[columns].iloc[row, column]
        raise DataError(
            f"{source}: particle {row}, {columns[column]}: found {found!r}, expected a number; "
            "correct the cell"
        )
    return values


def _tomograms(source: str, star: StarText, particles: pd.DataFrame) -> pd.Series:
    for column in (TOMOGRAM, "rlnMicrographName"):
        if column in particles:
            return particles[column]
    raise DataError(
        f"{source}: found columns {', '.join(star.particles.columns)}, expected a tomogram's "
        f"name: {TOMOGRAM} or rlnMicrographName"
    )


def _labels(source: str, star: StarText, particles: pd.DataFrame, label: str | None) -> pd.Series:
    columns = star.particles.columns
    if label is not None and label not in columns:
        raise DataError(
            f"{source}: found no label column {label!r}{nearest_hint(label, columns)}, expected "
            f"one of {', '.join(columns)}"
        )
    for column in (label, LABEL, CLASS_NUMBER):
        if column in particles:
            return particles[column].astype("string").replace(_NO_LABEL)
    return pd.Series(pd.NA, index=particles.index, dtype="string")
