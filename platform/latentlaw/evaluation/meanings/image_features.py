"""Plain features of images: size, shape, intensity and texture of the foreground.

The foreground is what is brighter than Otsu's threshold of the image, smoothed by one voxel.
Intensity is measured above the background's median, over the whole foreground; shape is that of
its largest object. Values are as measured: intensities in the image's own grey levels, lengths in
voxels.
"""

import warnings
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops, shannon_entropy

from latentlaw.errors import DataError
from latentlaw.evaluation.embed import Images

Array = NDArray[np.float64]
_GREY_LEVELS = 16  # few, so that co-occurrences of a small object's voxels are many each
_FLAT = 1e-6  # of the largest value: differences that are rounding


@dataclass(frozen=True)
class Feature:
    """What a column measures.

    Attributes
    ----------
    unit
        `px` are voxels along an edge (of an area: pixels, of a volume: voxels), empty for ratios.
    nuisance
        Whether it says how the object lies in the box, which is no property of its own.
    """

    unit: str = ""
    nuisance: bool = False


FEATURES = {
    "area": Feature("px"),
    "objects": Feature(),
    "total intensity": Feature("grey levels"),
    "maximum": Feature("grey levels"),
    "contrast": Feature(),  # standard deviation over mean
    "entropy": Feature("bits"),
    "homogeneity": Feature(),  # of grey-level co-occurrences, Haralick et al. 1973
    "eccentricity": Feature(),
    "major axis": Feature("px"),
    "minor axis": Feature("px"),
    "solidity": Feature(),
    # An axis has no direction: angles half a turn apart are the same.
    "cos 2 orientation": Feature(nuisance=True),
    "sin 2 orientation": Feature(nuisance=True),
    "x": Feature("px", nuisance=True),
    "y": Feature("px", nuisance=True),
    "z": Feature("px", nuisance=True),
}
_IN_PLANES_ONLY = ("homogeneity", "cos 2 orientation", "sin 2 orientation")
_IN_VOLUMES_ONLY = ("z",)
_OF_NOTHING = {"area": 0.0, "objects": 0.0, "total intensity": 0.0}


def image_features(images: Images, *, batch_size: int = 32) -> pd.DataFrame:
    """Measure every image, reading a batch at a time.

    Parameters
    ----------
    images
        Raw images `(n, c, [z,] y, x)`, objects bright.
    batch_size
        Images to read at once.

    Returns
    -------
    DataFrame
        One row per image, a column for each of `FEATURES`, NaN where an image has no such value:
        one that is constant has no object, so area, objects and total intensity are 0 and the rest
        is NaN. Volumes have `z`, and neither orientation nor homogeneity. Of several channels each
        has columns of its own, `area of channel 0` and so on (`feature_of`).

    Raises
    ------
    DataError
        If an image holds NaN or infinite values.
    """
    rows: list[dict[str, float]] = []
    for start in range(0, len(images), batch_size):
        rows += starmap(_measure_channels, enumerate(images[start : start + batch_size], start))
    return pd.DataFrame(rows)


def foreground(channel: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return what stands out of one channel `([z,] y, x)`; nothing does of a constant one."""
    # Smoothed, or noise at the threshold would leave specks about the object.
    smooth = gaussian(channel, sigma=1)
    if np.ptp(smooth) <= _FLAT * np.abs(smooth).max():
        return np.zeros(channel.shape, dtype=bool)
    return np.asarray(smooth > threshold_otsu(smooth))


def foregrounds(images: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return the foreground of each channel of images `(n, c, [z,] y, x)`."""
    masks = [[foreground(channel) for channel in image] for image in images]
    return np.array(masks, dtype=bool).reshape(images.shape)


def background(channel: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> float:
    """Return the median of one channel `([z,] y, x)` outside its foreground `mask`."""
    return float(np.median(channel[~mask]))


def feature_of(column: str) -> Feature:
    """Return what a column of `image_features` measures."""
    return FEATURES[column.split(" of channel ")[0]]


def _measure_channels(index: int, raw: NDArray[Any]) -> dict[str, float]:
    """Measure one image `(c, [z,] y, x)`."""
    image = np.asarray(raw, dtype=np.float64)
    if not np.isfinite(image).all():
        raise DataError(f"image {index}: found NaN or infinite values; leave it out")
    channels = [_measure(channel) for channel in image]
    if len(channels) == 1:
        return channels[0]
    return {
        f"{name} of channel {c}": value
        for c, channel in enumerate(channels)
        for name, value in channel.items()
    }


def _measure(image: Array) -> dict[str, float]:
    """Measure one channel `([z,] y, x)`."""
    absent = _IN_PLANES_ONLY if image.ndim == len("zyx") else _IN_VOLUMES_ONLY
    found = dict.fromkeys((name for name in FEATURES if name not in absent), np.nan)
    mask = foreground(image)
    if not mask.any():
        return found | _OF_NOTHING
    objects = label(mask)
    light = image - background(image, mask)
    return found | {
        "area": float(mask.sum()),
        "objects": float(objects.max()),
        **_light(light[mask]),
        **({"homogeneity": _homogeneity(light, mask)} if image.ndim == len("yx") else {}),
        **_shape(objects),
    }


def _light(values: Array) -> dict[str, float]:
    """Measure the foreground's values above background, `(n,)`."""
    mean = values.mean()
    return {
        "total intensity": float(values.sum()),
        "maximum": float(values.max()),
        "contrast": float(values.std() / mean) if mean > 0 else np.nan,
        "entropy": float(shannon_entropy(_quantised(values))),
    }


def _quantised(values: Array) -> NDArray[np.uint8]:
    """Return grey levels from 0 to `_GREY_LEVELS` - 1 between the least and largest value."""
    low, high = values.min(), values.max()
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.minimum(share * _GREY_LEVELS, _GREY_LEVELS - 1).astype(np.uint8)


def _homogeneity(light: Array, mask: NDArray[np.bool_]) -> float:
    """Inverse difference moment of neighbours within the foreground, over four directions."""
    levels = np.zeros(light.shape, np.uint8)  # 0: background, whose pairs are left out
    levels[mask] = 1 + _quantised(light[mask])
    directions = np.arange(4) * np.pi / 4
    pairs = graycomatrix(levels, [1], directions, levels=_GREY_LEVELS + 1, symmetric=True)
    pairs = pairs[1:, 1:].sum(axis=3, keepdims=True)
    return float(graycoprops(pairs, "homogeneity").item()) if pairs.any() else np.nan


def _shape(objects: NDArray[np.integer[Any]]) -> dict[str, float]:
    """Measure the largest of the labelled objects `([z,] y, x)`; the first of equal ones."""
    largest = max(regionprops(objects), key=lambda region: region.area)
    major, minor = largest.axis_major_length, largest.axis_minor_length
    offset = np.subtract(largest.centroid, np.array(objects.shape) // 2)
    shape = {
        # As skimage's own, which is for planes only.
        "eccentricity": float(np.sqrt(max(0.0, 1 - (minor / major) ** 2))) if major else np.nan,
        "major axis": float(major),
        "minor axis": float(minor),
        "solidity": _solidity(largest),
        **dict(zip("xyz", map(float, offset[::-1]), strict=False)),
    }
    if objects.ndim == len("yx"):
        shape["cos 2 orientation"] = float(np.cos(2 * largest.orientation))
        shape["sin 2 orientation"] = float(np.sin(2 * largest.orientation))
    return shape


def _solidity(region: Any) -> float:
    """Share of its convex hull that an object fills; NaN for one too flat to have a hull."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to get convex hull image", UserWarning)
        hull = float(region.area_convex)
    return float(region.area) / hull if hull else np.nan
