"""Extraction: boxes about coordinates, planned so that each shard is read and decoded once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import shift

from latentlaw.data.compute import task_pool
from latentlaw.data.particles import new_stack
from latentlaw.data.progress import Progress, silent
from latentlaw.data.stars import CENTRED, read_star
from latentlaw.data.tomograms import Tomogram, open_tomogram
from latentlaw.errors import ConfigError, DataError

EdgePolicy = Literal["skip", "pad", "fail"]


@dataclass(frozen=True)
class ExtractReport:
    """What became of the particles listed."""

    path: Path
    extracted: int
    skipped: int
    padded: int


def extract(
    tomograms: str | Path,
    coordinates: str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    box: int = 32,
    edge: EdgePolicy = "skip",
    scheduler: str = "local",
    overwrite: bool = False,
    progress: Progress = silent,
) -> ExtractReport:
    """Cut a cubic box about each particle into a stack, grouped by tomogram.

    A particle's position falls on voxel box//2; the fraction of a voxel is taken out by linear
    interpolation.

    Parameters
    ----------
    tomograms
        A tomogram store, or a folder of them.
    coordinates
        RELION STAR, or CSV with `tomogram, z, y, x` in angstrom.
    edge
        What to do where a box crosses a face: `skip` it, `pad` with the box's mean, or `fail`.

    Raises
    ------
    DataError
        If a tomogram is missing, coordinates are not in range, or no particle is left.
    ConfigError
        If `box` is odd.
    """
    if box % 2:
        raise ConfigError(f"box {box} is odd; a box's centre is voxel n//2, use an even one")
    stores = {tomogram.name: tomogram for tomogram in open_tomograms(tomograms)}
    table = _match(read_coordinates(coordinates, label=label), stores, coordinates)
    inside = _inside(table, stores, box)
    _check_scale(table, stores, coordinates)
    if edge == "fail" and not inside.all():
        row = table[~inside].iloc[0]
        raise DataError(
            f"{coordinates}: {int((~inside).sum())} boxes cross a face, the first in "
            f"{row['tomogram']} at z y x {row['z']:.0f} {row['y']:.0f} {row['x']:.0f} angstrom; "
            "use edge=skip or edge=pad"
        )
    kept = table if edge == "pad" else table[inside]
    if kept.empty:
        raise DataError(f"{coordinates}: all {len(table)} boxes of {box} voxels cross a face")
    voxel_size_a = next(iter(stores.values())).voxel_size_a
    with (
        new_stack(
            out, item_shape=(1, box, box, box), voxel_size_a=voxel_size_a, overwrite=overwrite
        ) as writer,
        task_pool(scheduler) as submit,
    ):
        plan = list(_plan(kept, stores))
        done: dict[int, tuple[NDArray[np.float32], pd.DataFrame]] = {}
        for index, images, rows in submit(_crop_task, ((i, *t, box) for i, t in enumerate(plan))):
            done[index] = (images, rows)
            progress(len(done), len(plan), "extract")
        for index in range(len(plan)):  # in the order of the plan, whoever finished first
            writer.append(done[index][0][:, None], done[index][1])
    padded = int((~inside).sum()) if edge == "pad" else 0
    return ExtractReport(Path(out), len(kept), len(table) - len(kept), padded)


def open_tomograms(location: str | Path) -> list[Tomogram]:
    """Open a tomogram store, or all in a folder."""
    path = Path(location)
    if path.name.endswith(".ome.zarr"):
        return [open_tomogram(location)]
    stores = sorted(path.glob("*.ome.zarr")) if path.is_dir() else []
    if not stores:
        raise DataError(f"{location}: no tomogram store *.ome.zarr found; make one with `ingest`")
    return [open_tomogram(store) for store in stores]


def read_coordinates(path: str | Path, *, label: str | None = None) -> pd.DataFrame:
    """Read particle positions in angstrom from a STAR or CSV file."""
    if Path(path).suffix == ".star":
        return read_star(path, label=label)
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable CSV of coordinates ({error})") from error
    missing = {"tomogram", "z", "y", "x"} - set(table)
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(sorted(missing))}; found {', '.join(table.columns)}"
        )
    bad = ~np.isfinite(table[["z", "y", "x"]].apply(pd.to_numeric, errors="coerce")).all(axis=1)
    if bad.any():
        raise DataError(f"{path}: line {int(bad.argmax()) + 2}: a coordinate is not a number")
    if label is not None:
        table["label"] = table[label]
    return table.assign(**{CENTRED: False})


def _match(
    table: pd.DataFrame, stores: dict[str, Tomogram], source: str | Path
) -> pd.DataFrame:
    """Name each row's store, and bring centred positions to the tomogram's corner."""
    names = table["tomogram"].astype(str)
    stems = names.map(lambda name: name if name in stores else Path(name).name.split(".")[0])
    missing = sorted(set(stems) - set(stores))
    if missing:
        raise DataError(
            f"{source}: no tomogram store for {', '.join(missing[:5])}; "
            f"there are {', '.join(list(stores)[:5])}"
        )
    matched = table.assign(tomogram=stems, group=stems)
    for axis, name in enumerate("zyx"):
        centre = stems.map(lambda s, a=axis: stores[s].shape[a] // 2 * stores[s].voxel_size_a)
        matched[name] = table[name].astype(float) + np.where(table[CENTRED], centre, 0.0)
    return matched.drop(columns=CENTRED)


def _voxels(rows: pd.DataFrame, tomogram: Tomogram) -> NDArray[np.float64]:
    """Positions `(n, 3)` zyx in voxels."""
    return rows[["z", "y", "x"]].to_numpy(dtype=np.float64) / tomogram.voxel_size_a


def _inside(
    table: pd.DataFrame, stores: dict[str, Tomogram], box: int
) -> "pd.Series[bool]":
    """Whether each particle's whole box lies in its tomogram."""
    inside = pd.Series(False, index=table.index)
    for name, rows in table.groupby("tomogram"):
        tomogram = stores[str(name)]
        low = np.round(_voxels(rows, tomogram)).astype(int) - box // 2
        fits = (low >= 0) & (low + box <= np.array(tomogram.shape))
        inside[rows.index] = fits.all(axis=1)
    return inside


def _check_scale(
    table: pd.DataFrame, stores: dict[str, Tomogram], source: str | Path
) -> None:
    outside = 0
    for name, rows in table.groupby("tomogram"):
        voxels = _voxels(rows, stores[str(name)])
        outside += int(((voxels < 0) | (voxels >= np.array(stores[str(name)].shape))).any(1).sum())
    if outside > len(table) / 2:
        raise DataError(
            f"{source}: {outside} of {len(table)} positions lie outside their tomogram; "
            "are they in voxels where angstrom are expected, or at another binning?"
        )


def _plan(
    table: pd.DataFrame, stores: dict[str, Tomogram]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Group particles by tomogram and by the shard that holds their centre."""
    for name, rows in table.groupby("tomogram", sort=True):
        tomogram = stores[str(name)]
        edges = np.array(tomogram.levels[0].shards or tomogram.levels[0].chunks)
        shard = (_voxels(rows, tomogram) // edges).astype(int)
        for _, members in rows.groupby(list(shard.T), sort=True):
            yield tomogram.path, members


def _crop_task(
    index: int, path: str, rows: pd.DataFrame, box: int
) -> tuple[int, NDArray[np.float32], pd.DataFrame]:
    """Read the region about a shard's particles once, and cut every box from it."""
    tomogram = open_tomogram(path)
    voxels = _voxels(rows, tomogram)
    corner = np.round(voxels).astype(int) - box // 2
    # A voxel more on each side, for the fraction that interpolation takes out.
    low = np.maximum(corner.min(axis=0) - 1, 0)
    high = np.minimum(corner.max(axis=0) + box + 1, tomogram.shape)
    region = np.asarray(
        tomogram.levels[0][tuple(map(slice, low, high))], dtype=np.float32
    )
    boxes = [
        crop(region, position - low, box) for position in voxels
    ]
    return index, np.stack(boxes), rows


def crop(volume: NDArray[Any], position: NDArray[np.float64], box: int) -> NDArray[np.float32]:
    """Cut a box whose voxel box//2 shows `position` (zyx, voxels); the mean fills what is outside."""
    whole = np.round(position).astype(int)
    fraction = position - whole
    margin = 1
    low = whole - box // 2 - margin
    high = low + box + 2 * margin
    inside = volume[tuple(map(slice, np.maximum(low, 0), np.minimum(high, volume.shape)))]
    pad = [
        (max(0, -int(a)), max(0, int(b) - size))
        for a, b, size in zip(low, high, volume.shape, strict=True)
    ]
    # The margin may leave the tomogram though the box does not: repeat the face there.
    beyond = any(max(before, after) > margin for before, after in pad)
    if beyond:
        padded = np.pad(inside, pad, constant_values=float(inside.mean()))
    else:
        padded = np.pad(inside, pad, mode="edge")
    if np.abs(fraction).max() > 1e-6:
        padded = shift(padded, -fraction, order=1, mode="nearest")
    inner = slice(margin, margin + box)
    return np.asarray(padded[inner, inner, inner], dtype=np.float32)
