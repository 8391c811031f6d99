"""Particle positions from RELION STAR, CSV or copick JSON, all in angstrom."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from latentlaw.data.stars import CENTRED, read_star
from latentlaw.errors import DataError, nearest_hint

_POSITION = ["z", "y", "x"]


def read_coordinates(
    path: str | Path, *, label: str | None = None, pixel_size_a: float | None = None
) -> pd.DataFrame:
    """Read particles of a `.star`, `.csv` or copick `.json` file, or a folder of `.json`.

    Parameters
    ----------
    label
        Column of the class; None or `auto` takes the usual one, if there is one.
    pixel_size_a
        Angstrom a pixel, for STAR files that do not say.

    Returns
    -------
    DataFrame
        Columns `tomogram, z, y, x` (angstrom), `centred` (whether they count from the tomogram's
        centre), and those of `label, qw, qx, qy, qz, particle_id, group` that the file has.

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
    raise DataError(f"{path}: expected coordinates as .star, .csv or copick .json")


def _read_csv(path: Path, label: str | None) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"tomogram": str, "label": str, "particle_id": str})
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable CSV of coordinates ({error})") from error
    found = list(table.columns)
    missing = [name for name in ("tomogram", *_POSITION) if name not in table]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; expected tomogram,z,y,x in angstrom, "
            f"found {', '.join(found)}"
        )
    if table.empty:
        raise DataError(f"{path}: no particles; expected a row for each")
    if label is not None and label not in table:
        raise DataError(f"{path}: no label column {label!r}{nearest_hint(label, found)}; {found}")
    if label is not None:
        table["label"] = table[label].astype(str)
    numbers = table[_POSITION].apply(lambda column: pd.to_numeric(column, errors="coerce"))
    bad = ~np.isfinite(np.asarray(numbers, dtype=np.float64)).all(axis=1)
    if bad.any() or table["tomogram"].isna().any():
        line = int(np.argmax(bad | np.asarray(table["tomogram"].isna()))) + 2
        raise DataError(f"{path}: line {line}: a coordinate is not a number, or no tomogram")
    table[_POSITION] = numbers
    kept = ["particle_id", "label", "tomogram", *_POSITION, "qw", "qx", "qy", "qz", "group"]
    return table[[name for name in kept if name in table]].assign(**{CENTRED: False})


def _read_picks(path: Path) -> pd.DataFrame:
    """Read copick picks: the object is the label, the run names the tomogram."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
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
        raise DataError(f"{path}: no picks found")
    return pd.DataFrame(rows).assign(**{CENTRED: False})


def _pick(picks: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    """Turn a point into a row; its 4x4 matrix turns the reference and shifts it, in angstrom."""
    matrix = np.asarray(point.get("transformation_", np.eye(4)), dtype=np.float64)
    if picks.get("unit", "angstrom") != "angstrom":
        raise ValueError(f"unit {picks['unit']!r} is not angstrom")
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
