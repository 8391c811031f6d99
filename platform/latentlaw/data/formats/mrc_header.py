"""MRC headers: everything that a file says of itself, checked before memory is taken for it."""

import bz2
import gzip
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import byte_order_from_machine_stamp

from latentlaw.data.formats.voxel_sizes import SAME_SIZE, agreed_size
from latentlaw.errors import DataError

PACKED_SUFFIXES = (".gz", ".bz2")
_HEADER_BYTES = 1024
_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_MAX_EDGE = 65536
_MAX_EXTENDED_BYTES = 2**30
_VOLUME_STACK_SPACEGROUPS = range(401, 631)
_IMOD_STAMP = 1146047817


@dataclass(frozen=True)
class MrcHeader:
    """What a header says.

    Attributes
    ----------
    stored_shape
        Sections, rows, columns, as they lie in the file.
    axes
        Transposition that brings them to `(z, y, x)`.
    offset
        Bytes before the first voxel.
    start_voxels
        `nstart` as `(z, y, x)`.
    sizes_a
        Edges of a voxel along z, y, x in angstrom, whatever they are.
    spacegroup
        `ispg`: 1 of a volume, 0 of images.
    notes
        What is unusual but could be read.
    """

    path: Path
    stored_shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    axes: tuple[int, int, int]
    start_voxels: tuple[int, int, int]
    sizes_a: tuple[float, float, float]
    spacegroup: int
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels `(z, y, x)`."""
        z, y, x = (self.stored_shape[axis] for axis in self.axes)
        return z, y, x

    @property
    def expected_bytes(self) -> int:
        """Bytes a whole file has."""
        return self.offset + int(np.prod(self.stored_shape, dtype=object)) * self.dtype.itemsize

    @property
    def single_size_a(self) -> float | None:
        """The voxel size if it is positive and the same along all axes, else None."""
        low, high = min(self.sizes_a), max(self.sizes_a)
        if not (low > 0 and np.isfinite(high) and high - low <= SAME_SIZE * low):
            return None
        return float(np.mean(self.sizes_a))

    def voxel_size_a(self, given: float | None) -> float:
        """Return the voxel size in angstrom, which `given` may supply but not contradict.

        Raises
        ------
        DataError
            If it is unknown, not the same along all axes, or contradicts `given` by over 1 %.
        """
        if given is None and self.single_size_a is None:
            sizes = ", ".join(f"{size:g}" for size in self.sizes_a)
            raise DataError(
                f"{self.path}: found voxel size ({sizes}) angstrom (z, y, x) in the header, "
                "expected one positive size; pass voxel_size"
            )
        return agreed_size(self.path, self.single_size_a, given)

    def check_volume(self) -> None:
        """Refuse a file that holds a single 2-D image.

        Raises
        ------
        DataError
            Naming its shape.
        """
        if self.stored_shape[0] == 1:
            raise DataError(
                f"{self.path}: found one 2-D image, shape {self.stored_shape} (ispg "
                f"{self.spacegroup}), expected a volume; collect reads images, ingest tomograms"
            )

    def too_short(self, found: int) -> DataError:
        """Return the error of a file that holds only `found` bytes."""
        return DataError(
            f"{self.path}: header says {self.expected_bytes} bytes, found {found}; "
            "the file is cut off, copy it again"
        )


def ending_of(path: Path) -> str:
    """Return a file's ending in lower case, without that of its compression."""
    name = Path(path.stem) if path.suffix in PACKED_SUFFIXES else path
    return name.suffix.lower()


def open_stream(path: Path) -> BufferedIOBase:
    """Open a file for reading, decompressed by its name's ending."""
    if path.suffix == ".gz":
        return gzip.GzipFile(path)
    if path.suffix == ".bz2":
        return bz2.BZ2File(path)
    return path.open("rb")


def read_mrc_header(path: str | Path) -> MrcHeader:
    """Read and check everything that the header and the file's size can tell.

    Raises
    ------
    DataError
        If this is no MRC file, of a mode or layout that is not supported, or is cut off.
    """
    path = Path(path)
    try:
        with open_stream(path) as stream:
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
            f"{path}: found {bytes(fields['map'])!r} where an MRC file has 'MAP ', expected "
            "MRC2014; convert it first"
        )
    order, notes = _byte_order(fields)
    if order == ">":
        fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(">"))[0]
    header = _parse(path, fields, order, notes)
    found = path.stat().st_size
    if path.suffix not in PACKED_SUFFIXES and found < header.expected_bytes:
        raise header.too_short(found)  # compressed bytes are counted when they are unpacked
    return header


def _byte_order(fields: Any) -> tuple[str, tuple[str, ...]]:
    """Return `<` or `>`, and what to note; modes are small, so a large one is read backwards."""
    stamp = fields["machst"].tobytes()
    backwards = not 0 <= int(fields["mode"]) < 256
    try:
        stamped = str(byte_order_from_machine_stamp(bytearray(stamp)))
    except ValueError:
        return ">" if backwards else "<", (f"machine stamp {stamp.hex()} is not a known one",)
    if backwards and stamped != ">":
        return ">", (f"machine stamp {stamp.hex()} says little-endian, the voxels are not",)
    return stamped, (("big-endian",) if stamped == ">" else ())


def _parse(path: Path, fields: Any, order: str, notes: tuple[str, ...]) -> MrcHeader:
    mode = int(fields["mode"])
    if mode not in _MODES:
        raise DataError(
            f"{path}: found mode {mode}, expected one of {list(_MODES)}; convert it first"
        )
    shape = (int(fields["nz"]), int(fields["ny"]), int(fields["nx"]))
    extended = int(fields["nsymbt"])
    if not all(0 < n <= _MAX_EDGE for n in shape) or not 0 <= extended <= _MAX_EXTENDED_BYTES:
        raise DataError(
            f"{path}: found {shape} voxels after {extended} extra bytes in the header, expected "
            f"edges of 1 to {_MAX_EDGE}; the header is damaged, copy the file again"
        )
    spacegroup = int(fields["ispg"])
    if spacegroup in _VOLUME_STACK_SPACEGROUPS:
        raise DataError(
            f"{path}: found a stack of volumes (ispg {spacegroup}, shape {shape}), expected one; "
            "split it into files"
        )
    if spacegroup == 0 and int(fields["mz"]) == 1 and shape[0] > 1:
        raise DataError(
            f"{path}: found 2-D images (ispg 0, mz 1, shape {shape}), expected one volume; "
            "collect reads images, ingest tomograms"
        )
    columns_rows_sections = [int(fields[name]) for name in ("mapc", "mapr", "maps")]
    if columns_rows_sections == [0, 0, 0]:
        columns_rows_sections = [1, 2, 3]
    if sorted(columns_rows_sections) != [1, 2, 3]:
        raise DataError(
            f"{path}: found mapc, mapr, maps {columns_rows_sections}, expected 1, 2, 3 in any "
            "order; the header is damaged, copy the file again"
        )
    stored = columns_rows_sections[::-1]  # which of x=1, y=2, z=3 sections, rows, columns are
    axes = (stored.index(3), stored.index(2), stored.index(1))
    starts = [int(fields[name]) for name in ("nzstart", "nystart", "nxstart")]
    cell = fields["cella"]
    sizes = [
        float(cell[axis]) / max(int(fields[samples]), 1)
        for axis, samples in (("z", "mz"), ("y", "my"), ("x", "mx"))
    ]
    kind = "u1" if mode == 0 and _is_unsigned(fields, order) else _MODES[mode]
    return MrcHeader(
        path=path,
        stored_shape=shape,
        dtype=np.dtype(order + kind),
        offset=_HEADER_BYTES + extended,
        axes=axes,
        start_voxels=(starts[axes[0]], starts[axes[1]], starts[axes[2]]),
        sizes_a=(sizes[0], sizes[1], sizes[2]),
        spacegroup=spacegroup,
        notes=notes,
    )


def _is_unsigned(fields: Any, order: str) -> bool:
    """Tell whether IMOD wrote bytes without sign into mode 0, as it says at bytes 152 to 160."""
    stamp, flags = np.frombuffer(fields.tobytes()[152:160], order + "i4")
    return bool(stamp == _IMOD_STAMP and not flags & 1)
