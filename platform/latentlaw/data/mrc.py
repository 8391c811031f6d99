"""MRC volumes: opened read-only, and checked before memory is taken for them."""

import bz2
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import byte_order_from_machine_stamp
from numpy.typing import NDArray

from latentlaw.data.output import new_output
from latentlaw.errors import DataError

_HEADER_BYTES = 1024
_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_MAX_EDGE = 65536
_MAX_EXTENDED_BYTES = 2**30
_VOLUME_STACK_SPACEGROUPS = range(401, 631)
_SAME_SIZE = 0.01  # sizes that differ by less are the same size, rounded
_IMOD_STAMP = 1146047817
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


@dataclass(frozen=True)
class _Header:
    """What a header says: `shape` is sections, rows, columns; `sizes_a` is z, y, x."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    axes: tuple[int, int, int]
    start: tuple[int, int, int]
    sizes_a: tuple[float, float, float]

    @property
    def expected_bytes(self) -> int:
        """Bytes a whole file has."""
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def open_mrc(path: str | Path, *, voxel_size_a: float | None = None) -> MrcVolume:
    """Open an MRC volume; axes stored in another order are transposed to `(z, y, x)`.

    Parameters
    ----------
    voxel_size_a
        Edge of a voxel in angstrom, for files whose header does not say.

    Raises
    ------
    DataError
        If the file is no whole MRC volume of a supported mode, or its voxel size is unknown,
        not the same along all axes, or contradicts `voxel_size_a`.
    """
    path = Path(path)
    header = _read_header(path)
    if header.shape[0] == 1:
        raise DataError(
            f"{path}: shape {header.shape} is one 2-D image, expected a volume; "
            "collect reads images, ingest reads tomograms"
        )
    size = _voxel_size(path, header, voxel_size_a)
    return MrcVolume(_read_data(path, header), size, path, header.start)


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
    path = Path(path)
    header = _read_header(path)
    data = _read_data(path, header)
    return (data[0] if header.shape[0] == 1 else data), _single_size(header)


def write_mrc(
    path: str | Path, data: NDArray[Any], voxel_size_a: float, *, overwrite: bool = False
) -> None:
    """Write a volume `(z, y, x)` of int8, int16, uint16, float16 or float32."""
    if data.ndim != 3 or voxel_size_a <= 0:
        raise DataError(f"{path}: cannot write shape {data.shape} at {voxel_size_a} angstrom")
    with new_output(path, overwrite=overwrite) as partial, mrcfile.new(partial) as file:
        file.set_data(data)
        file.set_volume()
        file.voxel_size = voxel_size_a


def _open_stream(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed by its name's ending."""
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path))
    if path.suffix == ".bz2":
        return cast("BinaryIO", bz2.open(path))
    return path.open("rb")


def _read_header(path: Path) -> _Header:
    """Read and check everything that the header and the file's size can tell."""
    try:
        with _open_stream(path) as stream:
            raw = stream.read(_HEADER_BYTES)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected an MRC file") from error
    if len(raw) < _HEADER_BYTES:
        raise DataError(
            f"{path}: found {len(raw)} bytes, expected an MRC header of {_HEADER_BYTES}; "
            "copy the file again"
        )
    fields = np.frombuffer(raw, HEADER_DTYPE)[0]
    if fields["map"] not in (b"MAP ", b"MAP"):
        raise DataError(
            f"{path}: not an MRC file (found {fields['map']!r} where 'MAP ' is due); "
            "convert it to MRC2014 first"
        )
    try:
        order = byte_order_from_machine_stamp(bytearray(fields["machst"].tobytes()))
    except ValueError:
        order = "<"  # some writers leave the stamp blank; the mode check below tells the order
    if order == ">" or not 0 <= int(fields["mode"]) < 256:
        fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(">"))[0]
        order = ">"
    header = _parse(path, fields, order)
    _check_size(path, header)
    return header


def _parse(path: Path, fields: Any, order: str) -> _Header:
    mode = int(fields["mode"])
    if mode not in _MODES:
        raise DataError(f"{path}: mode {mode} is not supported, expected one of {list(_MODES)}")
    shape = (int(fields["nz"]), int(fields["ny"]), int(fields["nx"]))
    extended = int(fields["nsymbt"])
    if not all(0 < n <= _MAX_EDGE for n in shape) or not 0 <= extended <= _MAX_EXTENDED_BYTES:
        raise DataError(
            f"{path}: header says {shape} voxels after {extended} extra bytes, expected edges of "
            f"1 to {_MAX_EDGE}; the header is damaged"
        )
    spacegroup = int(fields["ispg"])
    if spacegroup in _VOLUME_STACK_SPACEGROUPS:
        raise DataError(
            f"{path}: a stack of volumes (ispg {spacegroup}, shape {shape}), expected one volume; "
            "split it into files"
        )
    if spacegroup == 0 and int(fields["mz"]) == 1 and shape[0] > 1:
        raise DataError(
            f"{path}: a stack of 2-D images (ispg 0, mz 1, shape {shape}), expected one volume"
        )
    columns_rows_sections = [int(fields[name]) for name in ("mapc", "mapr", "maps")]
    if columns_rows_sections == [0, 0, 0]:
        columns_rows_sections = [1, 2, 3]
    if sorted(columns_rows_sections) != [1, 2, 3]:
        raise DataError(f"{path}: mapc, mapr, maps are {columns_rows_sections}, expected 1, 2, 3")
    stored = columns_rows_sections[::-1]  # which of x=1, y=2, z=3 sections, rows, columns are
    axes = (stored.index(3), stored.index(2), stored.index(1))
    starts = [int(fields[name]) for name in ("nzstart", "nystart", "nxstart")]
    cell = fields["cella"]
    sizes = [
        float(cell[axis]) / max(int(fields[samples]), 1)
        for axis, samples in (("z", "mz"), ("y", "my"), ("x", "mx"))
    ]
    kind = "u1" if mode == 0 and _is_unsigned(fields, order) else _MODES[mode]
    return _Header(
        shape=shape,
        dtype=np.dtype(order + kind),
        offset=_HEADER_BYTES + extended,
        axes=axes,
        start=(starts[axes[0]], starts[axes[1]], starts[axes[2]]),
        sizes_a=(sizes[0], sizes[1], sizes[2]),
    )


def _is_unsigned(fields: Any, order: str) -> bool:
    """Tell whether IMOD wrote bytes without sign into mode 0, as it says at bytes 152 to 160."""
    stamp, flags = np.frombuffer(fields.tobytes()[152:160], order + "i4")
    return bool(stamp == _IMOD_STAMP and not flags & 1)


def _check_size(path: Path, header: _Header) -> None:
    """Refuse a file with fewer bytes than its header says; compressed ones are counted later."""
    found = path.stat().st_size
    if path.suffix not in (".gz", ".bz2") and found < header.expected_bytes:
        raise _too_short(path, header, found)


def _too_short(path: Path, header: _Header, found: int) -> DataError:
    return DataError(
        f"{path}: header says {header.expected_bytes} bytes, found {found}; "
        "the file is cut off, copy it again"
    )


def _read_data(path: Path, header: _Header) -> NDArray[Any]:
    """Map or decompress the voxels, in `(z, y, x)`."""
    if path.suffix in (".gz", ".bz2"):
        raw = _decompress(path, header)
        stored = np.frombuffer(raw, header.dtype, offset=header.offset).reshape(header.shape)
    else:
        stored = np.memmap(path, header.dtype, "r", header.offset, header.shape)
    return stored.transpose(header.axes)


def _decompress(path: Path, header: _Header) -> bytearray:
    """Decompress block by block, so that a header that lies cannot make us take its memory."""
    raw = bytearray()
    try:
        with _open_stream(path) as stream:
            while len(raw) < header.expected_bytes:
                block = stream.read(min(_BLOCK, header.expected_bytes - len(raw)))
                if not block:
                    raise _too_short(path, header, len(raw))
                raw += block
    except (OSError, EOFError) as error:
        raise DataError(
            f"{path}: header says {header.expected_bytes} bytes, found {len(raw)} before the "
            f"compressed data broke off ({error}); copy the file again"
        ) from error
    return raw


def _single_size(header: _Header) -> float | None:
    """Return the voxel size if it is positive and the same along all axes, else None."""
    low, high = min(header.sizes_a), max(header.sizes_a)
    if not (low > 0 and np.isfinite(high) and high - low <= _SAME_SIZE * low):
        return None
    return float(np.mean(header.sizes_a))


def _voxel_size(path: Path, header: _Header, given: float | None) -> float:
    found = _single_size(header)
    sizes = ", ".join(f"{size:g}" for size in header.sizes_a)
    if given is None:
        if found is None:
            raise DataError(
                f"{path}: voxel size in the header is ({sizes}) angstrom (z, y, x), expected one "
                "positive size; pass voxel_size"
            )
        return found
    if not (given > 0 and np.isfinite(given)):
        raise DataError(f"voxel_size: {given} is not a positive length in angstrom")
    if found is not None and abs(found - given) > _SAME_SIZE * found:
        raise DataError(
            f"{path}: voxel_size is {given:g} angstrom but the header says {found:g}; "
            "correct one of them"
        )
    return given
