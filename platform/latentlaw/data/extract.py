"""Extraction: boxes about coordinates, each chunk of a tomogram decoded once."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.coordinates import read_coordinates
from latentlaw.data.cropping import Piece, PieceTask, centred_box, cut_pieces, pad_value
from latentlaw.data.progress import Progress, silent
from latentlaw.data.scheduler import TaskRunner, open_scheduler
from latentlaw.data.stack_writer import ParticleWriter, new_stack
from latentlaw.data.stars import CENTRED
from latentlaw.data.tomograms import Tomogram, open_tomogram, shard_regions
from latentlaw.errors import ConfigError, DataError

EdgePolicy = Literal["skip", "pad", "fail"]
_ENDINGS = (".gz", ".bz2", ".zarr", ".ome", ".mrc", ".rec", ".map", ".st", ".tif", ".tiff")
_SAME_SIZE = 0.01


@dataclass(frozen=True)
class ExtractReport:
    """What became of the particles listed, and the tomograms that none lies in."""

    path: Path
    extracted: int
    skipped: int
    padded: int
    tomograms_without_particles: tuple[str, ...] = ()


@dataclass
class _Box:
    """A box being put together: its raw voxels, a voxel wider on each side, and what is due."""

    voxels: NDArray[np.float32]
    filled: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.filled = np.zeros(self.voxels.shape, bool)


def extract(
    tomograms: str | Path | Sequence[str | Path],
    coordinates: str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    box: int = 32,
    edge: EdgePolicy = "skip",
    scheduler: str = "local",
    overwrite: bool = False,
    progress: Progress = silent,
    pixel_size_a: float | None = None,
) -> ExtractReport:
    """Cut a cubic box about each particle into a stack, grouped by tomogram.

    A particle's position falls on voxel box//2: boxes are cut about the nearest voxel, and what
    is left, less than half a voxel an axis, is taken out by linear interpolation.

    Parameters
    ----------
    tomograms
        A tomogram store, a folder of them, or several.
    coordinates
        RELION STAR, CSV with `tomogram, z, y, x` in angstrom, or copick JSON.
    label
        Column of the class; None or `auto` takes the usual one, if there is one.
    edge
        What to do where a box crosses a face: `skip` it, `pad` with the mean of the voxels that
        are there, or `fail`. A particle whose position is outside is skipped under `pad` too.
    pixel_size_a
        Angstrom a pixel of the coordinates, for STAR files that do not say.

    Raises
    ------
    DataError
        If a tomogram is missing, most positions lie outside, voxels are NaN or infinite, or no
        particle is left.
    ConfigError
        If `box` is odd, or `edge` unknown.
    """
    if box < 2 or box % 2:
        raise ConfigError(f"box {box}: a box's centre is voxel n//2; use an even size")
    if edge not in ("skip", "pad", "fail"):
        raise ConfigError(f"edge {edge!r}: expected skip, pad or fail")
    stores = _by_name(open_tomograms(tomograms))
    listed = read_coordinates(coordinates, label=label, pixel_size_a=pixel_size_a)
    table = _match(listed, stores, coordinates)
    kept, crossing = _apply_edge(table, edge, box, coordinates)
    size = _voxel_size(stores)
    written = 0
    with (
        new_stack(
            out, item_shape=(1, box, box, box), voxel_size_a=size, overwrite=overwrite
        ) as writer,
        open_scheduler(scheduler) as tasks,
    ):
        for name, rows in kept.groupby("tomogram", sort=True):
            for images, done in _cut(stores[str(name)], rows, box, tasks):
                _append(writer, images, done, stores[str(name)])
                written += len(done)
                progress(written, len(kept), "extract")
    unused = tuple(sorted(set(stores) - set(kept["tomogram"])))
    return ExtractReport(Path(out), written, len(table) - written, crossing, unused)


def open_tomograms(locations: str | Path | Sequence[str | Path]) -> list[Tomogram]:
    """Open a tomogram store, all in a folder, or all of several of these."""
    if not isinstance(locations, str | Path):
        return [store for location in locations for store in open_tomograms(location)]
    text = str(locations).rstrip("/")
    if text.endswith(".zarr"):
        return [open_tomogram(text)]
    folder = Path(locations)
    stores = sorted(folder.glob("*.ome.zarr")) if folder.is_dir() else []
    if not stores:
        raise DataError(f"{locations}: no tomogram store *.ome.zarr found; make one with `ingest`")
    return [open_tomogram(store) for store in stores]


def tomogram_key(name: str) -> str:
    """Return a tomogram's name without folders and the endings that files of tomograms have."""
    key = name.rstrip("/").rsplit("/", 1)[-1]
    while key.lower().endswith(_ENDINGS):
        key = key.rsplit(".", 1)[0]
    return key


def _by_name(tomograms: list[Tomogram]) -> dict[str, Tomogram]:
    stores = {tomogram_key(tomogram.name): tomogram for tomogram in tomograms}
    if len(stores) < len(tomograms):
        names = sorted(tomogram.path for tomogram in tomograms)
        raise DataError(f"{', '.join(names)}: two tomograms have the same name")
    return stores


def _voxel_size(stores: dict[str, Tomogram]) -> float:
    sizes = {name: tomogram.voxel_size_a for name, tomogram in stores.items()}
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[high] - sizes[low] > _SAME_SIZE * sizes[low]:
        raise DataError(
            f"tomograms: {low} has {sizes[low]:g} angstrom a voxel, {high} has {sizes[high]:g}; "
            "expected one size in a stack; extract them apart"
        )
    return sizes[low]


def _match(listed: pd.DataFrame, stores: dict[str, Tomogram], source: str | Path) -> pd.DataFrame:
    """Add to each row its store, its nearest voxel `iz iy ix`, the rest `fz fy fx`, its shape."""
    if listed["z"].isna().any():
        raise DataError(f"{source}: 2-D coordinates, no rlnCoordinateZ; expected 3-D particles")
    names = listed["tomogram"].map(lambda name: tomogram_key(str(name)))
    missing = sorted(set(names) - set(stores))
    if missing:
        raise DataError(
            f"{source}: no tomogram store for {len(missing)} names, {', '.join(missing[:5])}; "
            f"there are {', '.join(sorted(stores)[:5])}"
        )
    unposed = {name: np.nan for name in ("qw", "qx", "qy", "qz") if name not in listed}
    table = listed.assign(tomogram=names, row=np.arange(len(listed)), **unposed)
    if "group" not in table:
        table["group"] = names
    shapes = np.array([stores[name].shape for name in names])
    sizes = np.array([stores[name].voxel_size_a for name in names])[:, None]
    # RELION 5 counts from half the tomogram's size.
    centre = np.where(np.asarray(table[CENTRED])[:, None], shapes * sizes / 2, 0.0)
    position = table[["z", "y", "x"]].to_numpy(dtype=np.float64) + centre
    table[["z", "y", "x"]] = position
    voxels = position / sizes
    nearest = np.floor(voxels + 0.5)
    table[["iz", "iy", "ix"]] = nearest.astype(np.int64)
    table[["fz", "fy", "fx"]] = voxels - nearest
    table["outside"] = ((nearest < 0) | (nearest >= shapes)).any(axis=1)
    table[["nz", "ny", "nx"]] = shapes
    return table.drop(columns=CENTRED)


def _apply_edge(
    table: pd.DataFrame, edge: EdgePolicy, box: int, source: str | Path
) -> tuple[pd.DataFrame, int]:
    """Return the rows to cut, and how many of them cross a face."""
    outside: NDArray[np.bool_] = np.asarray(table["outside"], dtype=np.bool_)
    if outside.sum() > len(table) / 2:
        row = table[outside].iloc[0]
        raise DataError(
            f"{source}: {outside.sum()} of {len(table)} positions lie outside their tomogram, the "
            f"first at voxel z y x {row['iz']} {row['iy']} {row['ix']} of {row['nz']} {row['ny']} "
            f"{row['nx']}; are they in pixels where angstrom are due, or at another binning?"
        )
    low = table[["iz", "iy", "ix"]].to_numpy(dtype=np.int64) - box // 2
    shapes = table[["nz", "ny", "nx"]].to_numpy(dtype=np.int64)
    crosses = np.asarray(((low < 0) | (low + box > shapes)).any(axis=1))
    if edge == "fail" and crosses.any():
        raise DataError(
            f"{source}: boxes of {crosses.sum()} particles cross a face, the first is row "
            f"{int(crosses.argmax())}; use edge=skip or edge=pad"
        )
    kept: NDArray[np.bool_] = ~outside if edge == "pad" else ~crosses
    if not kept.any():
        raise DataError(f"{source}: all {len(table)} boxes of {box} voxels cross a face")
    return table.iloc[np.flatnonzero(kept)], int((kept & crosses).sum())


def _cut(
    tomogram: Tomogram, rows: pd.DataFrame, box: int, tasks: TaskRunner
) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    """Yield boxes `(n, 1, box, box, box)` and their rows as they become whole."""
    wide = box + 2
    corners = rows[["iz", "iy", "ix"]].to_numpy() - box // 2 - 1
    jobs = _plan(tomogram, corners, wide)
    due = np.zeros(len(rows), dtype=np.int64)
    for job in jobs:
        due[job.numbers] += 1
    fractions = rows[["fz", "fy", "fx"]].to_numpy()
    boxes: dict[int, _Box] = {}
    for pieces in tasks.map(cut_pieces, jobs):
        whole: list[int] = []
        for number, parts in itertools.groupby(pieces, key=lambda piece: piece.number):
            target = boxes.setdefault(number, _Box(np.zeros((wide,) * 3, np.float32)))
            _place(target, parts)
            due[number] -= 1
            if not due[number]:
                whole.append(number)
        if whole:
            done = [boxes.pop(number) for number in whole]
            cut = [
                centred_box(pad_value(b.voxels, b.filled), fractions[n])
                for b, n in zip(done, whole, strict=True)
            ]
            yield np.stack(cut)[:, None], rows.iloc[whole]


def _place(target: _Box, parts: Iterator[Piece]) -> None:
    for piece in parts:
        target.voxels[piece.where] = piece.values
        target.filled[piece.where] = True


def _plan(tomogram: Tomogram, corners: NDArray[np.int64], wide: int) -> list[PieceTask]:
    """Make a task of each shard that a box touches."""
    jobs = []
    for region in shard_regions(tomogram.levels[0]).values():
        low = np.array([s.start for s in region])
        high = np.array([s.stop for s in region])
        touched = ((corners < high) & (corners + wide > low)).all(axis=1)
        if touched.any():
            numbers = np.flatnonzero(touched)
            jobs.append(PieceTask(tomogram.path, region, numbers, corners[numbers], wide))
    return jobs


def _append(
    writer: ParticleWriter, images: NDArray[Any], rows: pd.DataFrame, tomogram: Tomogram
) -> None:
    ids = rows["tomogram"] + rows["row"].map("-{:06d}".format)
    bad = ~np.isfinite(images).all(axis=(1, 2, 3, 4))
    if bad.any():
        raise DataError(
            f"{tomogram.path}: NaN or infinite voxels in {bad.sum()} particles, the first "
            f"{ids[bad].iloc[0]} at {rows[['z', 'y', 'x']][bad].iloc[0].round().tolist()} "
            "angstrom z y x; mend the tomogram or leave them out"
        )
    named = rows["particle_id"] if "particle_id" in rows else pd.Series(pd.NA, index=rows.index)
    writer.append(images, rows.assign(particle_id=named.fillna(ids), source=tomogram.name))
