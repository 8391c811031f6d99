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

from latentlaw.errors import DataError, nearest_hint

#: Set on positions that RELION 5 gives from the tomogram's centre; extraction resolves them.
CENTRED = "centred"
_PIXEL = [f"rlnCoordinate{axis}" for axis in "XYZ"]
_CENTRED = [f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]
_ORIGIN_A = [f"rlnOrigin{axis}Angst" for axis in "XYZ"]
_ORIGIN_PX = [f"rlnOrigin{axis}" for axis in "XYZ"]
_ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
_PIXEL_SIZES = ["rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize", "rlnPixelSize"]
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
        tomogram's centre.

    Raises
    ------
    DataError
        If the file is no STAR file, or a column that is needed is not there.
    """
    particles, optics = _blocks(Path(path))
    pixel = _pixel_size(particles, optics, pixel_size_a)
    centred = set(_CENTRED) <= set(particles)
    columns = _CENTRED if centred else _PIXEL
    if not set(columns) <= set(particles):
        raise DataError(
            f"{path}: no coordinates; expected {', '.join(_PIXEL)} or {', '.join(_CENTRED)}, "
            f"found {', '.join(particles.columns)}"
        )
    position = _numbers(path, particles, columns)
    if not centred:
        if np.isnan(pixel).any():
            raise DataError(f"{path}: no pixel size; expected one of {', '.join(_PIXEL_SIZES)}")
        position = position * pixel[:, None]
    if set(_ORIGIN_A) <= set(particles):
        position = position - _numbers(path, particles, _ORIGIN_A)
    elif set(_ORIGIN_PX) <= set(particles):
        position = position - _numbers(path, particles, _ORIGIN_PX) * pixel[:, None]
    table = pd.DataFrame(dict(zip("xyz", position.T, strict=True)))
    table["tomogram"] = _tomograms(path, particles)
    table["label"] = _labels(path, particles, label)
    table[CENTRED] = centred
    if set(_ANGLES) <= set(particles):
        table[["qw", "qx", "qy", "qz"]] = euler_to_quaternion(_numbers(path, particles, _ANGLES))
    if PARTICLE_ID in particles:
        table["particle_id"] = particles[PARTICLE_ID].astype(str)
    return table


def write_star(path: str | Path, tables: list[pd.DataFrame], pixel_size_a: float) -> None:
    """Write particle tables as a RELION STAR file with an optics block.

    Parameters
    ----------
    tables
        Rows with `tomogram, z, y, x` (angstrom), quaternion, `label` and `particle_id`.
    pixel_size_a
        Angstrom a pixel of the tomograms.
    """
    table = pd.concat(tables, ignore_index=True)
    angles = quaternion_to_euler(table[["qw", "qx", "qy", "qz"]].to_numpy(dtype=float))
    particles = pd.DataFrame(
        {
            "rlnTomoName": table["tomogram"],
            **{f"rlnCoordinate{axis.upper()}": table[axis] / pixel_size_a for axis in "xyz"},
            **dict(zip(_ANGLES, angles.T, strict=True)),
            **dict.fromkeys(_ORIGIN_A, 0.0),
            CLASS_NUMBER: table["label"].astype("category").cat.codes + 1,
            "rlnOpticsGroup": 1,
            LABEL: table["label"],
            PARTICLE_ID: table["particle_id"],
        }
    )
    optics = pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnTomoTiltSeriesPixelSize": [pixel_size_a],
        }
    )
    starfile.write({"optics": optics, "particles": particles}, path)


def euler_to_quaternion(angles_deg: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """RELION `rot, tilt, psi` `(n, 3)` in degrees to quaternions `(n, 4)`, scalar first."""
    turned = Rotation.from_euler("ZYZ", angles_deg, degrees=True).inv()
    return np.asarray(turned.as_quat(scalar_first=True))


def quaternion_to_euler(quaternions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Quaternions `(n, 4)`, scalar first, to RELION `rot, tilt, psi` `(n, 3)` in degrees."""
    turned = Rotation.from_quat(quaternions, scalar_first=True).inv()
    return np.asarray(turned.as_euler("ZYZ", degrees=True))


def _blocks(path: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    try:
        blocks = starfile.read(path, always_dict=True)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not a readable STAR file ({error})") from error
    tables = {k: v for k, v in blocks.items() if isinstance(v, pd.DataFrame)}
    optics = tables.pop("optics", None)
    if not tables or tables.get("particles", next(iter(tables.values()))).empty:
        raise DataError(f"{path}: no block of particles; found {', '.join(map(str, blocks))}")
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
        micron = table["rlnDetectorPixelSize"] / table["rlnMagnification"]
        return np.asarray(micron * 1e4, dtype=np.float64)
    return np.full(len(particles), np.nan)


def _numbers(path: str | Path, table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
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
            return particles[column].astype(str)
    return pd.NA
