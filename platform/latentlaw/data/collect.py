"""Collect labelled images or subvolumes of any common format into a particle stack."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from skimage.io import imread

from latentlaw.data.mrc import read_map
from latentlaw.data.particles import new_stack
from latentlaw.data.progress import Progress, silent
from latentlaw.errors import ConfigError, DataError, nearest_hint

_SUFFIXES = {
    ".tif": "tiff", ".tiff": "tiff", ".png": "png", ".npy": "npy",
    ".mrc": "mrc", ".mrcs": "mrc", ".map": "mrc",
}  # fmt: skip
_BATCH = 64


@dataclass(frozen=True)
class _Listing:
    """Files or rows to collect: `particle_id, label, group, source` and a way to read one."""

    rows: pd.DataFrame
    arrays: NDArray[Any] | None = None
    folder: Path = Path()

    def read(self, index: int) -> tuple[NDArray[Any], float | None]:
        if self.arrays is not None:
            return self.arrays[index], None
        return _read_image(self.folder / str(self.rows["source"].iloc[index]))


def collect(
    source: str | Path,
    out: str | Path,
    *,
    box: int | None = None,
    merge: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Collect images into a particle stack; 8- and 16-bit values are kept as they are.

    Parameters
    ----------
    source
        A folder of TIFF, PNG, NPY or MRC (`.gz`) files, labelled by `labels.csv` (columns file,
        label and, if there is one, group), else by their folder's name, else by their name up to
        its first `_`; or an `.npz` of `images`, `labels`, `class_names` and, if there is one,
        `group`.
    box
        Edge in voxels to crop or zero-pad to about the centre voxel n//2.
    merge
        Classes to join, as in `Interphase=G1+S+G2`; several are separated by `;`.

    Raises
    ------
    DataError
        If there is nothing to collect, files differ in shape, or values are not finite.
    """
    path = Path(source)
    listing = _list_npz(path) if path.suffix == ".npz" else _list_folder(path)
    rows = listing.rows.assign(label=_merge(listing.rows["label"], merge))
    first, voxel_size_a = listing.read(0)
    dtype = np.float32 if first.dtype.kind == "f" else first.dtype
    item = _fit(first, box)[None]
    with new_stack(
        out, item_shape=item.shape, dtype=dtype, voxel_size_a=voxel_size_a, overwrite=overwrite
    ) as writer:
        for start in range(0, len(rows), _BATCH):
            batch = []
            for index in range(start, min(start + _BATCH, len(rows))):
                image, _ = listing.read(index)
                _check(image, first, f"{path}: {rows['source'].iloc[index]}")
                batch.append(_fit(image, box)[None])
            writer.append(np.stack(batch), rows.iloc[start : start + _BATCH])
            progress(min(start + _BATCH, len(rows)), len(rows), "collect")
    return Path(out)


def _list_npz(path: Path) -> _Listing:
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    missing = {"images", "labels"} - set(content)
    if missing:
        raise DataError(f"{path}: no array {sorted(missing)}; found {sorted(content)}")
    labels = content["labels"]
    if labels.dtype.kind in "iu" and "class_names" in content:
        labels = content["class_names"][labels]
    if len(labels) != len(content["images"]):
        raise DataError(f"{path}: {len(content['images'])} images but {len(labels)} labels")
    rows = pd.DataFrame({"label": labels.astype(str), "source": path.name})
    if "group" in content:
        rows["group"] = content["group"].astype(str)
    return _Listing(rows, arrays=content["images"])


def _list_folder(folder: Path) -> _Listing:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder or .npz file")
    table = folder / "labels.csv"
    if table.exists():
        rows = pd.read_csv(table, dtype=str)
        missing = {"file", "label"} - set(rows)
        if missing:
            raise DataError(f"{table}: no column {sorted(missing)}; found {list(rows.columns)}")
        absent = [name for name in rows["file"] if not (folder / name).is_file()]
        if absent:
            raise DataError(f"{table}: {len(absent)} files are not there, the first {absent[0]}")
        rows = rows[[c for c in ("file", "label", "group") if c in rows]]
        rows = rows.rename(columns={"file": "source"})
    else:
        files = sorted(p for p in folder.rglob("*") if _kind(p) and p.is_file())
        if not files:
            raise DataError(f"{folder}: no image found; expected {', '.join(_SUFFIXES)}")
        names = [p.relative_to(folder) for p in files]
        labels = [n.parts[0] if len(n.parts) > 1 else n.name.split("_")[0] for n in names]
        rows = pd.DataFrame({"source": [str(n) for n in names], "label": labels})
    if rows.empty:
        raise DataError(f"{folder}: no image is listed")
    rows["particle_id"] = rows["source"].map(lambda name: str(name).split(".")[0])
    return _Listing(rows, folder=folder)


def _merge(labels: "pd.Series[str]", merge: str | None) -> "pd.Series[str]":
    for rule in (merge or "").split(";"):
        if not rule:
            continue
        target, _, members = rule.partition("=")
        if not target.strip() or not members.strip():
            raise ConfigError(f"merge: found {rule!r}, expected NEW=CLASS+CLASS")
        for member in map(str.strip, members.split("+")):
            known = sorted(set(labels.dropna()))
            if member not in known:
                raise ConfigError(
                    f"merge: no class {member!r}{nearest_hint(member, known)}; found {known}"
                )
            labels = labels.mask(labels == member, target.strip())
    return labels


def _check(image: NDArray[Any], first: NDArray[Any], where: str) -> None:
    if image.shape != first.shape:
        raise DataError(f"{where}: shape {image.shape} where the first has {first.shape}")
    bad = 0 if image.dtype.kind in "iub" else int((~np.isfinite(image)).sum())
    if bad:
        raise DataError(f"{where}: {bad} values are NaN or infinite; leave the image out")


def _fit(image: NDArray[Any], box: int | None) -> NDArray[Any]:
    """Crop or pad so that voxel n//2 becomes voxel box//2."""
    if box is None:
        return image
    for axis, size in enumerate(image.shape):
        low = size // 2 - box // 2
        before, after = max(0, -low), max(0, low + box - size)
        widths = [(0, 0)] * image.ndim
        widths[axis] = (before, after)
        start = max(low, 0)
        image = np.pad(image, widths).take(range(start, start + box), axis=axis)
    return image


def _read_image(path: Path) -> tuple[NDArray[Any], float | None]:
    """Read a grey image `(y, x)` or volume `(z, y, x)` and its voxel size where it says one."""
    kind = _kind(path)
    if kind == "mrc":
        return read_map(path)
    try:
        if kind == "npy":
            data = np.load(path, allow_pickle=False)
        else:
            data = tifffile.imread(path) if kind == "tiff" else imread(path)
    except (OSError, ValueError, EOFError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: cannot be read as {kind} ({error})") from error
    return np.asarray(data), None


def _kind(path: Path) -> str | None:
    name = Path(path.stem) if path.suffix in (".gz", ".bz2") else path
    return _SUFFIXES.get(name.suffix.lower())
