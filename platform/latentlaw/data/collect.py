"""Collect labelled images or subvolumes of any common format into a particle stack."""

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from skimage.io import imread

from latentlaw.data.mrc import read_map
from latentlaw.data.progress import Progress, silent
from latentlaw.data.stack_writer import new_stack
from latentlaw.errors import ConfigError, DataError, nearest_hint

_SUFFIXES = {
    ".tif": "tiff", ".tiff": "tiff", ".png": "png", ".npy": "npy",
    ".mrc": "mrc", ".mrcs": "mrc", ".map": "mrc",
}  # fmt: skip
_BATCH = 64
_MAX_CHANNELS = 4
_POSELESS = ("z", "y", "x", "qw", "qx", "qy", "qz")


@dataclass(frozen=True)
class _Listing:
    """Files or rows to collect: `particle_id, label, group, source` and a way to read one."""

    rows: pd.DataFrame
    arrays: NDArray[Any] | None = None
    folder: Path = Path()

    def read(self, index: int) -> tuple[NDArray[Any], float | None]:
        if self.arrays is not None:
            image = self.arrays[index]
            # Few planes in front are channels, many are z.
            channels = image.ndim == 4 or (image.ndim == 3 and len(image) <= _MAX_CHANNELS)
            return (image if channels else image[None]), None
        return _read_image(self.folder / str(self.rows["source"].iloc[index]))


@dataclass(frozen=True)
class _Facts:
    """What all images have in common; `item_shape` is `(c, [z,] y, x)`."""

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    voxel_size_a: float | None


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
        Edge in voxels to crop to about the centre voxel n//2, or to pad to with the mean of the
        image's border.
    merge
        Classes to join, as in `Interphase=G1+S+G2`; several are separated by `,` or `;`.

    Raises
    ------
    DataError
        If there is nothing to collect, files differ in shape, or values are not finite.
    ConfigError
        If `merge` is not of that form or names a class that does not occur.
    """
    path = Path(source)
    listing = _list(path)
    rows = listing.rows.assign(
        label=_merge(listing.rows["label"], merge), **dict.fromkeys(_POSELESS, np.nan)
    )
    facts = _survey(path, listing, box)
    with new_stack(
        out,
        item_shape=facts.item_shape,
        dtype=facts.dtype,
        voxel_size_a=facts.voxel_size_a,
        overwrite=overwrite,
    ) as writer:
        for start in range(0, len(rows), _BATCH):
            stop = min(start + _BATCH, len(rows))
            batch = [_fit(listing.read(i)[0], box) for i in range(start, stop)]
            writer.append(np.stack(batch), rows.iloc[start:stop])
            progress(min(start + _BATCH, len(rows)), len(rows), "collect")
    return Path(out)


def class_names(source: str | Path) -> list[str]:
    """Return the classes that `collect` would find at `source`, sorted, without reading images."""
    return sorted(set(_list(Path(source)).rows["label"].dropna()) - {""})


def _list(path: Path) -> _Listing:
    return _list_npz(path) if path.suffix == ".npz" else _list_folder(path)


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
    names = content.get("class_names")
    if labels.dtype.kind in "iu" and names is not None:
        if labels.size and labels.max() >= len(names):
            raise DataError(f"{path}: label {labels.max()} but {len(names)} class_names")
        labels = np.where(labels < 0, "", names[labels])
    if content["images"].ndim not in (3, 4, 5):
        raise DataError(
            f"{path}: images of shape {content['images'].shape}, expected (n, [c, z,] y, x)"
        )
    if len(labels) != len(content["images"]):
        raise DataError(f"{path}: {len(content['images'])} images but {len(labels)} labels")
    rows = pd.DataFrame({"label": _text(labels), "source": path.name})
    if "group" in content:
        rows["group"] = _text(content["group"])
    return _Listing(rows, arrays=content["images"])


def _list_folder(folder: Path) -> _Listing:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder or .npz file")
    table = folder / "labels.csv"
    if table.exists():
        rows = _read_labels(table)
        missing = {"file", "label"} - set(rows)
        if missing:
            raise DataError(f"{table}: no column {sorted(missing)}; found {list(rows.columns)}")
        outside = [name for name in rows["file"] if not _is_within(name)]
        if outside:
            raise DataError(f"{table}: {outside[0]!r} leaves the folder; list files within it")
        absent = [name for name in rows["file"] if not (folder / name).is_file()]
        if absent:
            raise DataError(f"{table}: {len(absent)} files are not there, the first {absent[0]}")
        rows = rows[[c for c in ("file", "label", "group") if c in rows]]
        rows = rows.rename(columns={"file": "source"})
    else:
        files = sorted(p for p in folder.rglob("[!.]*") if _kind(p) and p.is_file())
        if not files:
            raise DataError(f"{folder}: no image found; expected {', '.join(_SUFFIXES)}")
        names = [p.relative_to(folder) for p in files]
        labels = [n.parts[0] if len(n.parts) > 1 else n.name.split("_")[0] for n in names]
        rows = pd.DataFrame({"source": [str(n) for n in names], "label": labels})
    if rows.empty:
        raise DataError(f"{folder}: no image is listed")
    stems = rows["source"].map(lambda name: _stem(Path(name).name))
    if stems.duplicated().any():  # the same name in several folders, or with several endings
        stems = rows["source"].map(_stem)
    rows["particle_id"] = rows["source"] if stems.duplicated().any() else stems
    return _Listing(rows, folder=folder)


def _is_within(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _merge(labels: "pd.Series[str]", merge: str | None) -> "pd.Series[str]":
    for rule in (merge or "").replace(",", ";").split(";"):
        if not rule.strip():
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


def _survey(path: Path, listing: _Listing, box: int | None) -> _Facts:
    """Read everything once: shapes must agree, values be finite."""
    shapes: list[tuple[int, ...]] = []
    bad: list[str] = []
    types: set[np.dtype[Any]] = set()
    sizes: set[float | None] = set()
    for index, name in enumerate(listing.rows["source"]):
        image, size = listing.read(index)
        shapes.append(_fit(image, box).shape)
        types.add(_kept_type(image.dtype))
        sizes.add(size and round(size, 3))
        count = 0 if image.dtype.kind in "iub" else int((~np.isfinite(image)).sum())
        if count:
            where = name if listing.arrays is None else f"image {index}"
            bad.append(f"{where} ({count})")
    usual, times = Counter(shapes).most_common(1)[0]
    if times < len(shapes):
        odd = next(i for i, shape in enumerate(shapes) if shape != usual)
        raise DataError(
            f"{path}: {listing.rows['source'].iloc[odd]} has shape {shapes[odd]}, expected "
            f"{usual} as {times} of {len(shapes)} have; leave it out or pass box"
        )
    if bad:
        raise DataError(
            f"{path}: NaN or infinite values in {len(bad)} files: {', '.join(bad[:5])}; "
            "mend them or leave them out"
        )
    dtype = next(iter(types)) if len(types) == 1 else np.dtype(np.float32)
    return _Facts(usual, dtype, sizes.pop() if len(sizes) == 1 else None)


def _kept_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that images of `dtype` are kept in: small integers, else float32."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    return dtype.newbyteorder("=") if small else np.dtype(np.float32)


def _fit(image: NDArray[Any], box: int | None) -> NDArray[Any]:
    """Crop or pad `(c, [z,] y, x)` so that voxel n//2 becomes voxel box//2."""
    if box is None:
        return image
    border = np.ones(image.shape, bool)
    border[(slice(None), *(slice(1, -1),) * (image.ndim - 1))] = False
    mean = image[border].mean(dtype=np.float64)
    fill = mean if image.dtype.kind == "f" else round(mean)
    for axis in range(1, image.ndim):
        size = image.shape[axis]
        low = size // 2 - box // 2
        widths = [(0, 0)] * image.ndim
        widths[axis] = (max(0, -low), max(0, low + box - size))
        start = max(low, 0)
        image = np.pad(image, widths, constant_values=fill).take(
            range(start, start + box), axis=axis
        )
    return image


def _read_image(path: Path) -> tuple[NDArray[Any], float | None]:
    """Read an image or volume as `(c, [z,] y, x)`, and its voxel size where it says one."""
    kind = _kind(path)
    if kind == "mrc":
        data, size = read_map(path)
        return data[None], size
    colour = False
    try:
        if kind == "npy":
            data = np.load(path, allow_pickle=False)
        elif kind == "tiff":
            with tifffile.TiffFile(path) as tiff:
                data = np.asarray(tiff.asarray())
                colour = tiff.series[0].axes.endswith("S")
        else:
            data = np.asarray(imread(path))
            colour = data.ndim == 3
    except (OSError, ValueError, EOFError, SyntaxError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: cannot be read as {kind} ({error})") from error
    if data.ndim not in (2, 3) or data.size == 0 or data.dtype.kind not in "biuf":
        raise DataError(
            f"{path}: shape {data.shape} of {data.dtype}, expected an image (y, x) or a volume "
            "(z, y, x) of real numbers"
        )
    # Colours become channels; transparency is no measurement.
    return (np.moveaxis(data, -1, 0)[:3] if colour else data[None]), None


def _text(values: NDArray[Any]) -> "pd.Series[str]":
    """Turn values into names; an empty one is null."""
    return pd.Series(values.astype(str), dtype="string").replace("", pd.NA)


def _read_labels(table: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(table, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(f"{table}: not a readable CSV of file, label ({error})") from error


def _stem(name: str) -> str:
    """Return a name without the endings of image files."""
    path = Path(name)
    while path.suffix.lower() in (*_SUFFIXES, ".gz", ".bz2"):
        path = path.with_suffix("")
    return str(path)


def _kind(path: Path) -> str | None:
    name = Path(path.stem) if path.suffix in (".gz", ".bz2") else path
    return _SUFFIXES.get(name.suffix.lower())
