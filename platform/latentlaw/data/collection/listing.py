"""What there is to collect: images of a folder or an `.npz`, with label and group."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.formats.images import (
    IMAGE_SUFFIXES,
    PLAIN_AXES,
    channels_first,
    image_kind,
    image_stem,
    read_image,
)
from latentlaw.errors import ConfigError, DataError, nearest_hint


@dataclass(frozen=True)
class Listing:
    """Images to collect.

    Attributes
    ----------
    rows
        `label, source` and, where known, `group` and `particle_id` of each image.
    arrays
        `(n, [c, z,] y, x)`; None where images are files of `folder`, named by `source`.
    """

    rows: pd.DataFrame
    arrays: NDArray[Any] | None = None
    folder: Path = Path()

    def name(self, index: int) -> str:
        """Return what an error calls an image."""
        return str(self.rows["source"].iloc[index]) if self.arrays is None else f"image {index}"

    def read(self, index: int) -> tuple[NDArray[Any], float | None]:
        """Read an image `(c, [z,] y, x)`, and its voxel size in angstrom where it says one.

        Raises
        ------
        DataError
            If its file cannot be read.
        """
        if self.arrays is None:
            return read_image(self.folder / self.name(index))
        image = self.arrays[index]
        return channels_first(image, PLAIN_AXES[image.ndim]), None


def list_images(source: str | Path) -> Listing:
    """List the images of a folder or an `.npz`; none is read.

    Raises
    ------
    DataError
        If there is none, or `labels.csv` or the `.npz` is not as it should be.
    """
    path = Path(source)
    return _list_npz(path) if path.suffix == ".npz" else _list_folder(path)


def class_names(source: str | Path) -> list[str]:
    """Return the classes that `collect` would find at `source`, sorted, without reading images."""
    return sorted(set(list_images(source).rows["label"].dropna()) - {""})


def merge_classes(labels: "pd.Series[str]", merge: str | None) -> "pd.Series[str]":
    """Rename classes by rules such as `Interphase=G1+S+G2`, separated by `,` or `;`.

    Raises
    ------
    ConfigError
        If a rule is not of that form or names a class that does not occur.
    """
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
                    f"merge: found no class {member!r}{nearest_hint(member, known)}, expected one "
                    f"of {', '.join(known)}"
                )
            labels = labels.mask(labels == member, target.strip())
    return labels


def _list_npz(path: Path) -> Listing:
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: cannot be read as an .npz of plain arrays ({error}); save it again"
        ) from error
    missing = {"images", "labels"} - set(content)
    if missing:
        raise DataError(
            f"{path}: found arrays {', '.join(sorted(content))}, no {', '.join(sorted(missing))}; "
            "expected images and labels, and class_names where labels are numbers"
        )
    images, labels = content["images"], content["labels"]
    names = content.get("class_names")
    if labels.dtype.kind in "iu" and names is not None:
        if labels.size and labels.max() >= len(names):
            raise DataError(
                f"{path}: found label {labels.max()} and {len(names)} class_names, expected a "
                "name for every label"
            )
        labels = np.where(labels < 0, "", names[labels])
    if images.ndim - 1 not in PLAIN_AXES:
        raise DataError(
            f"{path}: found images of shape {images.shape}, expected (n, [c, z,] y, x)"
        )
    for name in ("labels", "group"):
        if name in content and len(content[name]) != len(images):
            raise DataError(
                f"{path}: found {len(images)} images and {len(content[name])} {name}, "
                "expected one for each image"
            )
    rows = pd.DataFrame({"label": _text(labels), "source": path.name})
    if "group" in content:
        rows["group"] = _text(content["group"])
    return Listing(rows, arrays=images)


def _list_folder(folder: Path) -> Listing:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder or .npz file; give one that is there")
    table = folder / "labels.csv"
    rows = _read_labels(table) if table.exists() else _label_by_name(folder)
    if rows.empty:
        raise DataError(f"{folder}: found no image, expected at least one; add some")
    stems = rows["source"].map(lambda name: image_stem(Path(name).name))
    if stems.duplicated().any():  # the same name in several folders, or with several endings
        stems = rows["source"].map(image_stem)
    rows["particle_id"] = rows["source"] if stems.duplicated().any() else stems
    return Listing(rows, folder=folder)


def _label_by_name(folder: Path) -> pd.DataFrame:
    """Label images by their folder, else by their name up to its first `_`, without its ending."""
    files = sorted(p for p in folder.rglob("[!.]*") if image_kind(p) and p.is_file())
    if not files:
        raise DataError(f"{folder}: found no image, expected {', '.join(IMAGE_SUFFIXES)}")
    names = [p.relative_to(folder) for p in files]
    labels = [n.parts[0] if len(n.parts) > 1 else image_stem(n.name).split("_")[0] for n in names]
    return pd.DataFrame({"source": [str(n) for n in names], "label": labels})


def _read_labels(table: Path) -> pd.DataFrame:
    """Read `file, label` and, if there is one, `group`; an empty label or group is null."""
    try:
        # A class may be called NA or None.
        rows = pd.read_csv(table, dtype=str, keep_default_na=False).replace("", pd.NA)
    except (OSError, ValueError) as error:
        raise DataError(f"{table}: cannot be read as a CSV of file, label ({error})") from error
    missing = {"file", "label"} - set(rows)
    if missing:
        raise DataError(
            f"{table}: found columns {', '.join(rows.columns)}, expected "
            f"{', '.join(sorted(missing))} too; add them"
        )
    for line, name in enumerate(rows["file"], start=2):
        if pd.isna(name):
            raise DataError(f"{table}: line {line}: found no file; fill it in or leave it out")
        if not _is_within(name):
            raise DataError(f"{table}: {name!r} leaves the folder; list files within it")
    absent = [name for name in rows["file"] if not (table.parent / name).is_file()]
    if absent:
        raise DataError(
            f"{table}: found no file for {len(absent)} rows, the first {absent[0]}; put them "
            "back or leave the rows out"
        )
    twice = rows.loc[rows["file"].duplicated(), "file"]
    if len(twice):
        raise DataError(f"{table}: {twice.iloc[0]} is listed twice; leave one of them out")
    kept = [name for name in ("file", "label", "group") if name in rows]
    return rows[kept].rename(columns={"file": "source"})


def _is_within(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _text(values: NDArray[Any]) -> "pd.Series[str]":
    """Convert values to names; an empty one is null."""
    return pd.Series(values.astype(str), dtype="string").replace("", pd.NA)
