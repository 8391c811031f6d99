"""RELION particle STAR files to and from the particle table.

RELION's `rot, tilt, psi` are intrinsic ZYZ angles of the rotation that brings the particle onto
the reference; the table's quaternion is its inverse, which turns the reference into the particle.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import starfile
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from latentlaw.data.particles import COLUMNS, particle_table
from latentlaw.errors import DataError, nearest_hint

#: Set on positions that RELION 5 gives from the tomogram's centre; extraction resolves them.
CENTRED = "centred"
_PIXEL = [f"rlnCoordinate{axis}" for axis in "XYZ"]
_CENTRED = [f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]
_ORIGIN_A = [f"rlnOrigin{axis}Angst" for axis in "XYZ"]
_ORIGIN_PX = [f"rlnOrigin{axis}" for axis in "XYZ"]
_ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
# The first that a file has; coordinates are in pixels of the original micrograph or tilt series.
_PIXEL_SIZES = [
    "rlnTomoTiltSeriesPixelSize",
    "rlnMicrographOriginalPixelSize",
    "rlnImagePixelSize",
    "rlnPixelSize",
]
# Orientation of a subtomogram before refinement: the angles of refinement are then relative.
_BOX_ANGLES = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
_TEXT = ["rlnTomoName", "rlnMicrographName", "latentlawClass", "latentlawParticleId"]
LABEL, CLASS_NUMBER, PARTICLE_ID = "latentlawClass", "rlnClassNumber", "latentlawParticleId"


def read_star(
    path: str | Path, *, label: str | None = None, pixel_size_a: float | None = None
) -> pd.DataFrame:
    """Read a particle STAR file of RELION 3, 3.1, 4 or 5.

    Parameters
    ----------
    label
        Column of the class; by default `latentlawClass`, else `rlnClassNumber`, if there is one.
    pixel_size_a
        Angstrom a pixel of the coordinates, where the file does not say.

    Returns
    -------
    DataFrame
        `tomogram`, position `z y x` in angstrom less the origin shift, quaternion
        `qw qx qy qz`, `label`, `particle_id`, and `centred` where positions are from the
        tomogram's centre. `z` is null in single-particle files, which have no `rlnCoordinateZ`
        and no `rlnTomoName`. The quaternion is null where the file has no angles, or has
        `rlnTomoSubtomogramRot/Tilt/Psi` other than zero, to which the angles are relative.

    Raises
    ------
    DataError
        If the file is no STAR file, or a column that is needed is not there.
    """
    particles, optics = _blocks(Path(path), label)
    tomograms = _tomograms(path, particles)
    pixel = _pixel_size(particles, optics, pixel_size_a)
    centred = set(_CENTRED) <= set(particles)
    columns = _CENTRED if centred else _PIXEL
    flat = "rlnTomoName" not in particles and not centred and columns[2] not in particles
    if flat:
        columns = columns[:2]
    if not set(columns) <= set(particles):
        raise DataError(
            f"{path}: no coordinates; expected {', '.join(_PIXEL)} or {', '.join(_CENTRED)}, "
            f"found {', '.join(particles.columns)}"
        )
    position = _numbers(path, particles, columns)
    if not centred:
        if np.isnan(pixel).any():
            raise DataError(
                f"{path}: no pixel size for its coordinates; expected one of "
                f"{', '.join(_PIXEL_SIZES)} in an optics block; pass pixel_size in angstrom"
            )
        position = position * pixel[:, None]
    position = position - _origin(path, particles, pixel, len(columns))
    table = pd.DataFrame(dict(zip("xyz", position.T, strict=False)), columns=list("xyz"))
    table["tomogram"] = tomograms
    table["label"] = _labels(path, particles, label)
    table[CENTRED] = centred
    if set(_ANGLES) <= set(particles):
        quaternion = euler_to_quaternion(_numbers(path, particles, _ANGLES))
        if set(_BOX_ANGLES) <= set(particles):
            relative = _numbers(path, particles, _BOX_ANGLES).any(axis=1)
            quaternion[relative] = np.nan
        table[["qw", "qx", "qy", "qz"]] = quaternion
    if PARTICLE_ID in particles:
        table["particle_id"] = particles[PARTICLE_ID]
    return table


def _origin(
    path: str | Path, particles: pd.DataFrame, pixel: NDArray[np.float64], axes: int
) -> NDArray[np.float64] | float:
    """Shift `(n, axes)` in angstrom, x first, that refinement takes off the coordinates."""
    if set(_ORIGIN_A[:axes]) <= set(particles):
        return _numbers(path, particles, _ORIGIN_A[:axes])
    if not set(_ORIGIN_PX[:axes]) <= set(particles):
        return 0.0
    shift = _numbers(path, particles, _ORIGIN_PX[:axes])
    if shift.any() and np.isnan(pixel).any():
        raise DataError(f"{path}: origins in pixels, but no pixel size; pass pixel_size")
    return shift * np.nan_to_num(pixel)[:, None]


def write_star(
    path: str | Path, particles: pd.DataFrame | list[pd.DataFrame], pixel_size_a: float = 1.0
) -> None:
    """Write particle tables as a RELION STAR file with an optics block.

    `rlnClassNumber` counts the sorted labels from 1, and is 0 where there is none. Columns that
    a particle table does not have, such as `probability`, are written as `latentlawProbability`.

    Parameters
    ----------
    particles
        Rows with `tomogram, z, y, x` (angstrom), quaternion, `label` and `particle_id`.
    pixel_size_a
        Angstrom a pixel of the tomograms.
    """
    tables = [particles] if isinstance(particles, pd.DataFrame) else particles
    table = particle_table(pd.concat(tables, ignore_index=True))
    quaternion = table[["qw", "qx", "qy", "qz"]].to_numpy(dtype=np.float64)
    quaternion[np.isnan(quaternion).any(axis=1)] = (1.0, 0.0, 0.0, 0.0)
    angles = quaternion_to_euler(quaternion)
    block = pd.DataFrame(
        {
            "rlnTomoName": table["tomogram"],
            **{f"rlnCoordinate{axis.upper()}": table[axis] / pixel_size_a for axis in "xyz"},
            **dict(zip(_ANGLES, angles.T, strict=True)),
            **dict.fromkeys(_ORIGIN_A, 0.0),
            CLASS_NUMBER: table["label"].astype("category").cat.codes.astype(int) + 1,
            "rlnOpticsGroup": 1,
            LABEL: table["label"],
            PARTICLE_ID: table["particle_id"],
        }
    )
    extra = pd.concat(tables, ignore_index=True)
    for name in [name for name in extra if name not in COLUMNS and name != CENTRED]:
        camel = "".join(part.capitalize() for part in str(name).split("_"))
        block[f"latentlaw{camel}"] = extra[name]
    optics = pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnTomoTiltSeriesPixelSize": [pixel_size_a],
        }
    )
    starfile.write({"optics": optics, "particles": block}, path)


def euler_to_quaternion(angles_deg: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn RELION `rot, tilt, psi` `(n, 3)` in degrees into quaternions `(n, 4)`, scalar first."""
    turned = Rotation.from_euler("ZYZ", angles_deg, degrees=True).inv()
    return np.asarray(turned.as_quat(scalar_first=True))


def quaternion_to_euler(quaternions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn quaternions `(n, 4)`, scalar first, into RELION angles `(n, 3)` in degrees."""
    turned = Rotation.from_quat(quaternions, scalar_first=True).inv()
    return np.asarray(turned.as_euler("ZYZ", degrees=True, suppress_warnings=True))


def _blocks(path: Path, label: str | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    try:
        # Names that look like numbers, such as PDB id 1e10, must stay names.
        text = [*_TEXT, *([label] if label else [])]
        blocks = starfile.read(path, always_dict=True, parse_as_string=text)
    except (OSError, ValueError, LookupError) as error:
        raise DataError(f"{path}: not a readable STAR file ({error})") from error
    tables = {k: v for k, v in blocks.items() if isinstance(v, pd.DataFrame)}
    optics = tables.pop("optics", None)
    if not tables or tables.get("particles", next(iter(tables.values()))).empty:
        found = {name or "(no name)": list(table) for name, table in blocks.items()}
        raise DataError(f"{path}: no particles; found blocks with columns {found or 'none'}")
    return tables.get("particles", next(iter(tables.values()))), optics


def _pixel_size(
    particles: pd.DataFrame, optics: pd.DataFrame | None, given: float | None
) -> NDArray[np.float64]:
    """Angstrom a pixel of each particle; NaN where unknown."""
    if given is not None:
        return np.full(len(particles), given)
    table = particles
    if optics is not None and "rlnOpticsGroup" in particles:
        table = particles[["rlnOpticsGroup"]].merge(optics, on="rlnOpticsGroup", how="left")
    for name in _PIXEL_SIZES:
        if name in table:
            return np.asarray(table[name], dtype=np.float64)
    if {"rlnDetectorPixelSize", "rlnMagnification"} <= set(table):
        micron = np.asarray(table["rlnDetectorPixelSize"] / table["rlnMagnification"])
        return np.asarray(micron * 1e4, dtype=np.float64)
    return np.full(len(particles), np.nan)


def _numbers(path: str | Path, table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    numeric = table[columns].apply(lambda column: pd.to_numeric(column, errors="coerce"))
    values: NDArray[np.float64] = np.asarray(numeric, dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        found = table[columns].iloc[row, column]
        raise DataError(f"{path}: particle {row}, {columns[column]}: {found!r} is not a number")
    return values


def _tomograms(path: str | Path, particles: pd.DataFrame) -> "pd.Series[str]":
    for column in ("rlnTomoName", "rlnMicrographName"):
        if column in particles:
            return particles[column].astype(str)
    raise DataError(
        f"{path}: no tomogram name; expected rlnTomoName or rlnMicrographName, "
        f"found {', '.join(particles.columns)}"
    )


def _labels(path: str | Path, particles: pd.DataFrame, label: str | None) -> Any:
    if label is not None and label not in particles:
        raise DataError(
            f"{path}: no label column {label!r}{nearest_hint(label, particles.columns)}; "
            f"found {', '.join(particles.columns)}"
        )
    for column in (label, LABEL, CLASS_NUMBER):
        if column in particles:
            named = particles[column].astype("string")
            return named.replace({"<NA>": pd.NA, "None": pd.NA, "": pd.NA})
    return pd.Series(pd.NA, index=particles.index, dtype="string")
