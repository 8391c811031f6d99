"""Collect labelled images or subvolumes of any common format into a particle stack."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.data.collection.listing import Listing, list_images, merge_classes
from latentlaw.data.formats.images import pixel_type
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.storage.output import check_new
from latentlaw.errors import DataError
from latentlaw.progress import Progress, silent

_BATCH = 64
_POSELESS = ("z", "y", "x", "qw", "qx", "qy", "qz")


@dataclass(frozen=True)
class CollectReport:
    """The stack made, how many images are in it, and what was wrong with each that is not."""

    path: Path
    collected: int
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Survey:
    """The images that can be read, and what all of them have in common."""

    readable: list[int]
    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    voxel_size_a: float | None
    failures: tuple[str, ...]


def collect_particles(
    source: str | Path,
    out: str | Path,
    *,
    box: int | None = None,
    merge: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CollectReport:
    """Collect images into a particle stack; 8- and 16-bit values are kept as they are.

    A file that cannot be read is reported, and the others go on.

    Parameters
    ----------
    source
        A folder of TIFF, PNG, NPY or MRC (`.gz`, `.bz2`) files, labelled by `labels.csv` (columns
        file, label and, if there is one, group), else by their folder's name, else by their name
        up to its first `_`; or an `.npz` of `images`, `labels`, `class_names` and, if there is
        one, `group`. Where an array's axes have no names, up to four planes are channels, more
        are z.
    out
        Stack to make.
    box
        Edge in voxels to crop to about the centre voxel n//2, or to pad to with the mean of the
        image's border.
    merge
        Classes to join, as in `Interphase=G1+S+G2`; several are separated by `,` or `;`.
    overwrite
        Replace what is at `out`.
    progress
        Called with images done and in all.

    Raises
    ------
    DataError
        If there is nothing to collect, images differ in shape, or values are not finite.
    ConfigError
        If `merge` is not of that form or names a class that does not occur, or `out` is there
        already or cannot be written.
    """
    check_new(Path(out), overwrite=overwrite)
    listing = list_images(source)
    labels = merge_classes(listing.rows["label"], merge)
    rows = listing.rows.assign(label=labels, **dict.fromkeys(_POSELESS, np.nan))
    survey = _survey(Path(source), listing, box)
    count = len(survey.readable)
    with new_stack(
        out,
        item_shape=survey.item_shape,
        dtype=survey.dtype,
        voxel_size_a=survey.voxel_size_a,
        overwrite=overwrite,
    ) as writer:
        for start in range(0, count, _BATCH):
            part = survey.readable[start : start + _BATCH]
            batch = [_fit(listing.read(i)[0], box) for i in part]
            writer.append(np.stack(batch), rows.iloc[part])
            progress(start + len(part), count, "collect")
    return CollectReport(Path(out), count, survey.failures)


def _survey(path: Path, listing: Listing, box: int | None) -> _Survey:
    """Read everything once: shapes must agree, values be finite."""
    shapes: dict[int, tuple[int, ...]] = {}
    failures: list[str] = []
    bad: list[str] = []
    types: set[np.dtype[Any]] = set()
    sizes: set[float | None] = set()
    for index in range(len(listing.rows)):
        try:
            image, size = listing.read(index)
        except DataError as error:
            failures.append(str(error))
            continue
        shapes[index] = _fit(image, box).shape
        types.add(pixel_type(image.dtype))
        sizes.add(size and round(size, 3))
        count = 0 if image.dtype.kind in "iub" else int((~np.isfinite(image)).sum())
        if count:
            bad.append(f"{listing.name(index)} ({count})")
    if not shapes:
        raise DataError("\n".join([f"{path}: no image can be read:", *failures]))
    if bad:
        raise DataError(
            f"{path}: found NaN or infinite values in {len(bad)} files: {', '.join(bad[:5])}; "
            "mend them or leave them out"
        )
    dtype = next(iter(types)) if len(types) == 1 else np.dtype(np.float32)
    size = sizes.pop() if len(sizes) == 1 else None
    shape = _common_shape(path, listing, shapes)
    return _Survey(list(shapes), shape, dtype, size, tuple(failures))


def _common_shape(
    path: Path, listing: Listing, shapes: dict[int, tuple[int, ...]]
) -> tuple[int, ...]:
    usual, times = Counter(shapes.values()).most_common(1)[0]
    odd = [index for index, shape in shapes.items() if shape != usual]
    if odd:
        raise DataError(
            f"{path}: {listing.name(odd[0])} has shape {shapes[odd[0]]}, expected {usual} as "
            f"{times} of {len(shapes)} have; leave it out or pass box"
        )
    return usual


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
