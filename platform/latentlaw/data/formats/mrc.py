"""MRC volumes: opened read-only, written with their voxel size."""

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mrcfile
import numpy as np
from numpy.typing import NDArray

from latentlaw.data.formats.mrc_header import (
    PACKED_SUFFIXES,
    MrcHeader,
    open_stream,
    read_mrc_header,
)
from latentlaw.data.storage.output import new_output
from latentlaw.errors import DataError

_BLOCK = 2**22


@dataclass(frozen=True)
class MrcVolume:
    """A volume read from an MRC file.

    Attributes
    ----------
    data
        `(z, y, x)`; mapped read-only from plain files, in memory from .gz and .bz2.
    voxel_size_a
        Edge of a voxel in angstrom.
    path
        The file.
    start_voxels
        Place `(z, y, x)` of the first voxel in the map's own coordinates (`nstart`). Particle
        coordinates count from the first voxel, whatever this is.
    """

    data: NDArray[Any]
    voxel_size_a: float
    path: Path
    start_voxels: tuple[int, int, int] = (0, 0, 0)


def open_mrc(path: str | Path, *, voxel_size_a: float | None = None) -> MrcVolume:
    """Open an MRC volume; axes stored in another order are transposed to `(z, y, x)`.

    Parameters
    ----------
    path
        A file, plain, `.gz` or `.bz2`.
    voxel_size_a
        Edge of a voxel in angstrom, for files whose header does not say.

    Raises
    ------
    DataError
        If the file is no whole MRC volume of a supported mode, or its voxel size is unknown,
        not the same along all axes, or contradicts `voxel_size_a`.
    """
    header = read_mrc_header(path)
    header.check_volume()
    size = header.voxel_size_a(voxel_size_a)
    return MrcVolume(_read_voxels(header), size, header.path, header.start_voxels)


def read_map(path: str | Path) -> tuple[NDArray[Any], float | None]:
    """Read a density map, subtomogram or image, in `(z, y, x)` or `(y, x)`.

    Returns
    -------
    data, voxel_size_a
        The voxel size is None where the header gives no single size, as many tools leave it.

    Raises
    ------
    DataError
        If the file is no whole MRC file of a supported mode.
    """
    header = read_mrc_header(path)
    data = _read_voxels(header)
    return (data[0] if header.stored_shape[0] == 1 else data), header.single_size_a


def write_mrc(
    path: str | Path,
    data: NDArray[Any],
    voxel_size_a: float,
    *,
    start_voxels: tuple[int, int, int] = (0, 0, 0),
    overwrite: bool = False,
) -> None:
    """Write a volume `(z, y, x)` of int8, int16, uint16, float16 or float32.

    Parameters
    ----------
    path
        File to make.
    data
        Voxels `(z, y, x)`.
    voxel_size_a
        Edge of a voxel in angstrom.
    start_voxels
        Place `(z, y, x)` of the first voxel in the map's own coordinates (`nstart`).
    overwrite
        Replace a file that is at `path`.

    Raises
    ------
    DataError
        If `data` is no volume or the voxel size is not positive.
    ConfigError
        If `path` exists and `overwrite` is false, or its folder cannot be written to.
    """
    if data.ndim != 3 or voxel_size_a <= 0:
        raise DataError(
            f"{path}: found shape {data.shape} at {voxel_size_a} angstrom, expected a volume "
            "(z, y, x) and a positive voxel size"
        )
    with new_output(path, overwrite=overwrite) as partial, mrcfile.new(partial) as file:
        file.set_data(data)
        file.set_volume()
        file.voxel_size = voxel_size_a
        z, y, x = start_voxels
        file.nstart = (x, y, z)


def unpack_mrc(header: MrcHeader, target: BinaryIO) -> None:
    """Decompress a `.gz` or `.bz2` file of `header` into `target`, a block in memory at a time.

    Raises
    ------
    DataError
        If the compressed data break off before the bytes that the header says.
    """
    left = header.expected_bytes
    try:
        with open_stream(header.path) as stream:
            while left:
                # What there is: a read that fails by the end of the file would lose all before it.
                block = stream.read1(min(_BLOCK, left))
                if not block:
                    break
                target.write(block)
                left -= len(block)
    except EOFError:
        pass  # the end-of-stream marker is missing; said below, with the bytes there were
    except (OSError, zlib.error) as error:
        raise DataError(f"{header.path}: damaged ({error}); copy the file again") from error
    if left:
        raise header.too_short(header.expected_bytes - left)


def _read_voxels(header: MrcHeader) -> NDArray[Any]:
    """Map or decompress the voxels, in `(z, y, x)`."""
    path, dtype, offset = header.path, header.dtype, header.offset
    if path.suffix in PACKED_SUFFIXES:
        raw = io.BytesIO()  # grows with what is there: a header that lies takes no memory
        unpack_mrc(header, raw)
        stored = np.frombuffer(raw.getbuffer(), dtype, offset=offset).reshape(header.stored_shape)
    else:
        stored = np.memmap(path, dtype, "r", offset, header.stored_shape)
    return stored.transpose(header.axes)
