"""Where the boxes of listed particles lie in their tomograms, and which of them are cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.star.reading import CENTRED, absolute_positions
from latentlaw.data.tomograms.names import common_voxel_size, tomogram_key
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.errors import DataError

EdgePolicy = Literal["skip", "pad", "fail"]
MissingPolicy = Literal["fail", "skip"]
ZYX = ["z", "y", "x"]
NEAREST, FRACTION, SHAPE = ["iz", "iy", "ix"], ["fz", "fy", "fx"], ["nz", "ny", "nx"]
_SAME_PLACE_A = 1e-3
_FEW = 5  # particles of which the spread says nothing about their unit


@dataclass(frozen=True)
class Placement:
    """Rows to cut, with their nearest voxel and the rest, and what was left out.

    Attributes
    ----------
    rows
        The table's columns, `row` (its number in the list), `iz iy ix` and `fz fy fx`.
    warnings
        What the user should look at, a sentence each.
    """

    rows: pd.DataFrame
    skipped: int
    padded: int
    duplicates: int
    unknown_tomograms: tuple[str, ...]
    warnings: tuple[str, ...]


def place(
    listed: pd.DataFrame,
    stores: Mapping[str, Tomogram],
    box: int,
    *,
    source: str | Path,
    edge: EdgePolicy,
    missing: MissingPolicy,
    deduplicate: bool,
) -> Placement:
    """Match particles to tomograms and decide which boxes of edge `box` are cut.

    Raises
    ------
    DataError
        If a tomogram is missing, positions are in a wrong unit, an id occurs twice, `edge` is
        `fail` and a box crosses a face, or no particle is left.
    """
    known, unknown = _match(listed, stores, source, missing)
    table = _with_voxels(known, stores, source)
    table, duplicates = _without_duplicates(table, source, deduplicate)
    nearest, shape = (table[names].to_numpy(dtype=np.int64) for names in (NEAREST, SHAPE))
    outside = _any_axis((nearest < 0) | (nearest >= shape))
    warnings = _scale_warnings(table, outside, common_voxel_size(stores), source)
    if duplicates and not deduplicate:
        warnings.append(
            f"{duplicates} particles are at the place of another of the same tomogram; "
            "deduplicate=true leaves them out"
        )
    if unknown:
        left = len(listed) - len(known)
        warnings.append(f"left out {left} particles of {_names(unknown)}: no tomogram store")
    low = nearest - box // 2
    crosses = _any_axis((low < 0) | (low + box > shape))
    if edge == "fail" and crosses.any():
        raise DataError(
            f"{source}: boxes of {crosses.sum()} particles cross a face, the first is row "
            f"{table['row'].iloc[int(crosses.argmax())]}; use edge=skip or edge=pad"
        )
    kept = ~outside if edge == "pad" else ~crosses
    if not kept.any():
        raise DataError(
            f"{source}: all {len(table)} boxes of {box} voxels cross a face, expected some "
            "inside; use a smaller `box` or edge=pad, or correct `pixel_size`"
        )
    return Placement(
        rows=table[kept].drop(columns=SHAPE),
        skipped=int((~kept).sum()),
        padded=int((kept & crosses).sum()),
        duplicates=duplicates,
        unknown_tomograms=tuple(unknown),
        warnings=tuple(warnings),
    )


def _match(
    listed: pd.DataFrame,
    stores: Mapping[str, Tomogram],
    source: str | Path,
    missing: MissingPolicy,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose tomogram has a store, under its name, and the names that have none."""
    if listed["z"].isna().any():
        raise DataError(
            f"{source}: found 2-D coordinates, no rlnCoordinateZ; expected 3-D particles"
        )
    names = listed["tomogram"]
    if names.isna().any():
        if len(stores) != 1:
            raise DataError(
                f"{source}: found no tomogram named, and {len(stores)} stores; pass the one meant"
            )
        names = names.fillna(next(iter(stores)))
    keys = names.map({name: tomogram_key(str(name)) for name in names.unique()})
    unknown = sorted(set(keys) - set(stores))
    table = listed.assign(tomogram=keys, row=np.arange(len(listed)))
    known = table[~keys.isin(unknown)]
    if unknown and (missing == "fail" or known.empty):
        raise DataError(
            f"{source}: found no tomogram store for {len(unknown)} names, {_names(unknown)}, of "
            f"{len(table) - len(known)} particles, expected one of {_names(sorted(stores))}; "
            "ingest them, or pass missing=skip"
        )
    return known, unknown


def _with_voxels(
    table: pd.DataFrame, stores: Mapping[str, Tomogram], source: str | Path
) -> pd.DataFrame:
    """Add the nearest voxel `iz iy ix`, the rest `fz fy fx`, and the tomogram's shape."""
    sizes_a = {name: _size_a(store) for name, store in stores.items()}
    position = absolute_positions(table, sizes_a, source)
    codes, names = pd.factorize(table["tomogram"])
    shape = np.array([stores[name].shape for name in names])[codes]
    voxels = position / np.array([stores[name].voxel_size_a for name in names])[codes, None]
    nearest = np.floor(voxels + 0.5)
    unposed = {name: np.nan for name in ("qw", "qx", "qy", "qz") if name not in table}
    placed = table.drop(columns=CENTRED, errors="ignore").assign(**unposed)
    placed[ZYX], placed[FRACTION] = position, voxels - nearest
    placed[NEAREST], placed[SHAPE] = nearest.astype(np.int64), shape
    if "group" not in placed:
        placed["group"] = placed["tomogram"]
    given = placed.get("particle_id", pd.Series(pd.NA, index=placed.index, dtype="string"))
    numbered = placed["tomogram"].astype("string") + placed["row"].map("-{:06d}".format)
    placed["particle_id"] = given.astype("string").fillna(numbered)
    return placed


def _size_a(store: Tomogram) -> tuple[float, float, float]:
    z, y, x = store.shape
    return z * store.voxel_size_a, y * store.voxel_size_a, x * store.voxel_size_a


def _without_duplicates(
    table: pd.DataFrame, source: str | Path, deduplicate: bool
) -> tuple[pd.DataFrame, int]:
    """Count particles at another's place; leave them, and repeated ids, out on request."""
    place = (table[ZYX] / _SAME_PLACE_A).round().assign(tomogram=table["tomogram"])
    at_one_place = place.duplicated()
    same_id = table["particle_id"].duplicated()
    if same_id.any() and not deduplicate:
        raise DataError(
            f"{source}: found {same_id.sum()} particle ids again, "
            f"{_names(table['particle_id'][same_id].unique())}, expected unique ones; "
            "mend them, or pass deduplicate=true to keep the first of each"
        )
    again = at_one_place | same_id
    return (table[~again] if deduplicate else table), int(again.sum())


def _scale_warnings(
    table: pd.DataFrame, outside: NDArray[np.bool_], size_a: float, source: str | Path
) -> list[str]:
    """Say, or refuse where it is certain, that positions look like another unit's."""
    count = len(table)
    voxels = (table[NEAREST].to_numpy() + table[FRACTION].to_numpy()).astype(float)
    shape = table[SHAPE].to_numpy()
    if outside.sum() > count / 2:
        row = table[outside].iloc[0]
        said = (
            f"{outside.sum()} of {count} positions lie outside their tomogram, the first at "
            f"voxel z y x {' '.join(str(row[a]) for a in NEAREST)} of "
            f"{' '.join(str(row[a]) for a in SHAPE)}"
        )
        shrunk = voxels / size_a
        fits = ((shrunk >= 0) & (shrunk < shape)).all(axis=1).mean()
        if fits > 0.5:
            raise DataError(
                f"{source}: {said}; divided by the voxel size {size_a:g} A, {fits:.0%} lie "
                "inside: are they in angstrom where pixels are due, or scaled twice?"
            )
        return [f"{said}; are they of another tomogram, or at another binning?"]
    if count >= _FEW and size_a > 2 and (voxels < shape / size_a).all():
        return [
            f"all {count} positions lie in the first 1/{size_a:g} of their tomogram along each "
            "axis; are they in pixels where angstrom are due?"
        ]
    return []


def _any_axis(faults: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(faults.any(axis=1))


def _names(names: "list[str] | NDArray[np.object_]") -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(str, names[:5])) + more
