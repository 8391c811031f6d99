"""Particle positions from RELION STAR, CSV, copick JSON or SHREC lists, all in angstrom."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from latentlaw.data.star.reading import CENTRED, QUATERNION, read_star
from latentlaw.errors import DataError, nearest_hint

_POSITION = ["z", "y", "x"]
# Where copick keeps picks, from the tree's root, from ExperimentRuns, from a run, from Picks.
_PICKS = ("ExperimentRuns/*/Picks/*.json", "*/Picks/*.json", "Picks/*.json", "*.json")
_LOCATIONS = ["label", "x", "y", "z", "z1", "x1", "z2"]


def read_coordinates(
    path: str | Path, *, label: str | None = None, pixel_size_a: float | None = None
) -> pd.DataFrame:
    """Read particles of a `.star`, `.csv`, copick `.json` or SHREC `.txt` file, or a copick tree.

    Parameters
    ----------
    path
        A file, or the folder of a copick tree.
    label
        Column of the class; None or `auto` takes the usual one, if there is one.
    pixel_size_a
        Angstrom a pixel, for STAR files that do not say, and for SHREC's lists.

    Returns
    -------
    DataFrame
        Columns `tomogram, z, y, x` (angstrom), `centred` (whether they count from the tomogram's
        centre), and those of `label, qw, qx, qy, qz, particle_id, group` that the file has.
        `tomogram` is null where the file is of one tomogram and does not name it.

    Raises
    ------
    DataError
        If the file is not one of these, lacks a column, or a coordinate is not a number.
    """
    path = Path(path)
    label = None if label == "auto" else label
    if not path.exists():
        raise DataError(f"{path}: no such file of coordinates")
    if path.is_dir() or path.suffix == ".json":
        return _read_picks(path)
    if path.suffix == ".star":
        return read_star(path, label=label, pixel_size_a=pixel_size_a)
    if path.suffix == ".csv":
        return _read_csv(path, label)
    if path.suffix == ".txt":
        return _read_locations(path, pixel_size_a)
    raise DataError(f"{path}: found another ending, expected .star, .csv, .txt or copick .json")


def _read_csv(path: Path, label: str | None) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"tomogram": str, "label": str, "particle_id": str})
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a CSV of coordinates ({error})") from error
    found = list(table.columns)
    missing = [name for name in ("tomogram", *_POSITION) if name not in table]
    if missing:
        raise DataError(
            f"{path}: found columns {', '.join(found)}, no {', '.join(missing)}; expected "
            "tomogram,z,y,x in angstrom"
        )
    if table.empty:
        raise DataError(f"{path}: found no particles, expected a row for each")
    if label is not None and label not in table:
        raise DataError(
            f"{path}: found no label column {label!r}{nearest_hint(label, found)}, expected one "
            f"of {', '.join(found)}"
        )
    if label is not None:
        table["label"] = table[label].astype(str)
    numbers = table[_POSITION].apply(lambda column: pd.to_numeric(column, errors="coerce"))
    bad = ~np.isfinite(np.asarray(numbers, dtype=np.float64)).all(axis=1)
    if bad.any() or table["tomogram"].isna().any():
        line = int(np.argmax(bad | np.asarray(table["tomogram"].isna()))) + 2
        raise DataError(
            f"{path}: line {line}: found a coordinate that is no number, or no tomogram; fill it "
            "in"
        )
    table[_POSITION] = numbers
    kept = ["particle_id", "label", "tomogram", *_POSITION, "qw", "qx", "qy", "qz", "group"]
    return table[[name for name in kept if name in table]].assign(**{CENTRED: False})


def _read_picks(path: Path) -> pd.DataFrame:
    """Read copick picks: the object is the label, the run names the tomogram."""
    found = {file for place in _PICKS for file in path.glob(place)} if path.is_dir() else {path}
    files = sorted(found)
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            picks = json.loads(file.read_text())
            rows += [_pick(picks, point) for point in picks["points"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{file}: not copick picks ({type(error).__name__}: {error}); expected run_name, "
                "pickable_object_name and points with a location"
            ) from error
    if not rows:
        raise DataError(
            f"{path}: found no picks, expected copick's ExperimentRuns/RUN/Picks/*.json, or *.json"
        )
    return pd.DataFrame(rows).assign(**{CENTRED: False})


def _pick(picks: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    """Convert a point to a row; its 4x4 matrix rotates and shifts the reference, in angstrom."""
    matrix = np.asarray(point.get("transformation_", np.eye(4)), dtype=np.float64)
    if picks.get("unit", "angstrom") != "angstrom":
        raise ValueError(f"unit {picks['unit']!r}, expected angstrom")
    place = np.array([point["location"][axis] for axis in "xyz"], dtype=np.float64) + matrix[:3, 3]
    if not np.isfinite(place).all():
        raise ValueError(f"location {place} is not finite")
    row = {
        "tomogram": str(picks["run_name"]),
        "label": str(picks["pickable_object_name"]),
        **dict(zip("xyz", place.tolist(), strict=True)),
    }
    if picks.get("trust_orientation", True):
        quaternion = Rotation.from_matrix(matrix[:3, :3]).as_quat(scalar_first=True)
        row.update(zip(("qw", "qx", "qy", "qz"), quaternion.tolist(), strict=True))
    return row


def _read_locations(path: Path, pixel_size_a: float | None) -> pd.DataFrame:
    """Read SHREC's `particle_locations.txt`: class, x y z in voxels, angles Z1 X Z2 in degrees.

    The particle is the reference turned by the intrinsic ZXZ angles (Gubins et al. 2020, SHREC:
    classification in cryo-electron tomograms; checked on posed maps in test_real_shrec.py).
    """
    if pixel_size_a is None:
        raise DataError(f"{path}: found positions in voxels; pass pixel_size in angstrom")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, names=_LOCATIONS, dtype={"label": str})
        numbers = table[_LOCATIONS[1:]].astype(np.float64).to_numpy()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as SHREC particles ({error})") from error
    if not len(table) or not np.isfinite(numbers).all():
        raise DataError(
            f"{path}: found a line with fewer columns, or none; expected class x y z Z1 X Z2"
        )
    quaternion = Rotation.from_euler("ZXZ", numbers[:, 3:], degrees=True).as_quat(
        scalar_first=True
    )
    placed = dict(zip("xyz", numbers[:, :3].T * pixel_size_a, strict=True))
    posed = dict(zip(QUATERNION, quaternion.T, strict=True))
    named = {"tomogram": pd.NA, "label": table["label"], CENTRED: False}
    return pd.DataFrame({**named, **placed, **posed})
