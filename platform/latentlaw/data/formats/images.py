"""Images and volumes of any common format, read as channels, z, y, x."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from skimage.io import imread

from latentlaw.data.formats.mrc import read_map
from latentlaw.data.formats.mrc_header import PACKED_SUFFIXES, ending_of
from latentlaw.errors import DataError

IMAGE_SUFFIXES = {
    ".tif": "tiff", ".tiff": "tiff", ".png": "png", ".npy": "npy",
    ".mrc": "mrc", ".mrcs": "mrc", ".map": "mrc",
}  # fmt: skip
#: Axes of an array that does not name them, by their number; `?` is channels or z.
PLAIN_AXES = {2: "YX", 3: "?YX", 4: "CZYX"}
_MAX_CHANNELS = 4
_PNG_BIT_DEPTH, _PNG_COLOUR = 24, 25  # offsets in the file


def read_image(path: Path) -> tuple[NDArray[Any], float | None]:
    """Read a TIFF, PNG, NPY or MRC image or volume.

    Returns
    -------
    image, voxel_size_a
        `(c, [z,] y, x)`, and the edge of a voxel in angstrom where the file says one.

    Raises
    ------
    DataError
        If it cannot be read, or is no image or volume of real numbers.
    """
    kind, size = image_kind(path), None
    try:
        if kind == "mrc":
            data, size = read_map(path)
            axes = "ZYX"[-data.ndim :]
        elif kind == "npy":
            data = np.load(path, allow_pickle=False)
            axes = PLAIN_AXES.get(data.ndim, "")
        elif kind == "tiff":
            data, axes = _read_tiff(path)
        else:
            data, axes = _read_png(path)
    except (OSError, ValueError, EOFError, SyntaxError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: cannot be read as {kind} ({error}); copy it again") from error
    try:
        return channels_first(data, axes), size
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def channels_first(data: NDArray[Any], axes: str) -> NDArray[Any]:
    """Bring an array to `(c, [z,] y, x)`.

    Parameters
    ----------
    data
        An image or volume, an axis for each letter of `axes`.
    axes
        One letter per axis, as tifffile names them: `C` and `S` (colours) are channels. One that
        is none of C, S, Z, Y, X is channels if it is of at most four and there are no others, else
        z.

    Raises
    ------
    ValueError
        If that is no image or volume of real numbers.
    """
    named = axes.replace("S", "C")
    for letter in set(named) - set("CZYX"):
        few = data.shape[named.index(letter)] <= _MAX_CHANNELS
        named = named.replace(letter, "C" if few and "C" not in named else "Z")
    order = [named.index(axis) for axis in "CZYX" if axis in named]
    whole = len(order) == data.ndim and {"Y", "X"} <= set(named)
    if not whole or data.size == 0 or data.dtype.kind not in "biuf":
        raise ValueError(
            f"found shape {data.shape} of {data.dtype}, axes {axes or 'unknown'}; expected an "
            "image (y, x) or a volume (z, y, x) of real numbers, with channels or without"
        )
    ordered = data.transpose(order)
    return ordered if "C" in named else ordered[None]


def pixel_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that images of `dtype` are kept in: 8- and 16-bit integers, else float32."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    return dtype.newbyteorder("=") if small else np.dtype(np.float32)


def image_stem(name: str) -> str:
    """Return a name without the endings of image files."""
    path = Path(name)
    while path.suffix.lower() in (*IMAGE_SUFFIXES, *PACKED_SUFFIXES):
        path = path.with_suffix("")
    return str(path)


def image_kind(path: Path) -> str | None:
    """Return the format of an image file by its ending, None for other files."""
    return IMAGE_SUFFIXES.get(ending_of(path))


def _read_tiff(path: Path) -> tuple[NDArray[Any], str]:
    with tifffile.TiffFile(path) as tiff:
        axes = tiff.series[0].axes
        data = np.asarray(tiff.series[0].asarray())
    # Of colours, the fourth is transparency, which is no measurement.
    return (data[..., :3] if axes.endswith("S") else data), axes


def _read_png(path: Path) -> tuple[NDArray[Any], str]:
    with path.open("rb") as stream:
        header = stream.read(_PNG_COLOUR + 1)
    if len(header) > _PNG_COLOUR and header[_PNG_BIT_DEPTH] == 16 and header[_PNG_COLOUR]:
        # Readers would silently halve the bits.
        raise ValueError("found a PNG of 16-bit colours, expected grey or 8 bits; save it as TIFF")
    data = np.asarray(imread(path))
    if data.ndim == 2:
        return data, "YX"
    # Grey or colours, and behind them, where their number is even, transparency.
    measured = data.shape[-1] - (data.shape[-1] + 1) % 2
    return (data[..., 0] if measured == 1 else data[..., :measured]), "YXS"[: 2 + (measured > 1)]
