"""What a tomogram can come from: MRC, TIFF and OME-Zarr, read a region at a time."""

import glob
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from latentlaw.data.formats.mrc import unpack_mrc
from latentlaw.data.formats.mrc_header import (
    PACKED_SUFFIXES,
    MrcHeader,
    ending_of,
    read_mrc_header,
)
from latentlaw.data.formats.multiscales import Multiscale, read_multiscale
from latentlaw.data.formats.voxel_sizes import agreed_size
from latentlaw.errors import DataError

MRC_SUFFIXES = (".mrc", ".rec", ".map", ".st")
TIFF_SUFFIXES = (".tif", ".tiff")
_ZARR = ".zarr"
_ANGSTROM_PER_UNIT = {"nm": 10.0, "um": 1e4, "micron": 1e4, "µm": 1e4, "\\u00B5m": 1e4}
Region = tuple[slice, ...]


class Voxels(Protocol):
    """Voxels `(z, y, x)` that any process can read a region of; small enough to be sent to it."""

    def read(self, region: Region) -> NDArray[Any]:
        """Return the voxels `(z, y, x)` of `region`, a slice for each of the axes z, y, x."""


@dataclass(frozen=True)
class TomogramSource:
    """A tomogram as its file describes it.

    Attributes
    ----------
    shape
        Voxels `(z, y, x)`.
    dtype
        Type its voxels are kept in.
    notes
        What is unusual about the file but could be read.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    voxel_size_a: float
    start_voxels: tuple[int, int, int] = (0, 0, 0)
    notes: tuple[str, ...] = ()
    header: MrcHeader | Multiscale | None = None

    def voxels(self, spill: Path) -> Voxels:
        """Return the voxels `(z, y, x)`.

        What no region can be read of is first unpacked into the folder `spill`.
        """
        path = self.path.resolve()
        if isinstance(self.header, Multiscale):
            return ZarrVoxels(str(path / self.header.path))
        if self.header is None:
            return _tiff_voxels(path, spill)
        header = replace(self.header, path=path)
        if path.suffix in PACKED_SUFFIXES:
            with spill.open("wb") as target:
                unpack_mrc(header, target)
            path = spill.resolve()
        return MappedVoxels(path, header.dtype, header.offset, header.stored_shape, header.axes)

    def digest(self) -> str:
        """Return the SHA-256 of the file, or of a folder's file names and contents."""
        if self.path.is_file():
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        total = hashlib.sha256()
        for file in sorted(p for p in self.path.rglob("*") if p.is_file()):
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            total.update(f"{file.relative_to(self.path).as_posix()}\n{content}\n".encode())
        return total.hexdigest()


@dataclass(frozen=True)
class MappedVoxels:
    """Voxels that lie uncompressed in a file."""

    path: Path
    dtype: np.dtype[Any]
    offset: int
    stored_shape: tuple[int, ...]
    axes: tuple[int, ...] = (0, 1, 2)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy `(z, y, x)` of `region`, slices of z, y, x.

        The file is mapped anew, so that its pages are let go.
        """
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.stored_shape)
        native = self.dtype.newbyteorder("=")
        return np.array(mapped.transpose(self.axes)[region], dtype=native, order="C")


@dataclass(frozen=True)
class ZarrVoxels:
    """Voxels of a Zarr array, which may have leading axes of length one."""

    location: str

    def read(self, region: Region) -> NDArray[Any]:
        """Return the voxels `(z, y, x)` of `region`, slices of zyx; 64-bit as float32."""
        array = zarr.open_array(self.location, mode="r")
        values = np.asarray(array[(0,) * (array.ndim - 3) + region])
        return values.astype(voxel_type(values.dtype), copy=False)


def find_sources(source: str | Path) -> list[Path]:
    """Return the tomograms that `source`, a file, store, folder or glob, stands for; sorted.

    Raises
    ------
    DataError
        If there is none.
    """
    path = Path(source)
    if path.is_dir() and path.suffix != _ZARR:
        candidates = sorted(path.iterdir())
    else:
        candidates = [path] if path.exists() else sorted(map(Path, glob.glob(str(source))))
    found = [p for p in candidates if ending_of(p) in (*MRC_SUFFIXES, *TIFF_SUFFIXES, _ZARR)]
    if not found:
        raise DataError(
            f"{source}: no tomogram found; expected files ending in "
            f"{', '.join((*MRC_SUFFIXES, *TIFF_SUFFIXES))} (MRC also .gz, .bz2) or OME-Zarr stores"
        )
    return found


def open_source(path: Path, voxel_size_a: float | None = None) -> TomogramSource:
    """Read what a file says of its tomogram, and check it; voxels are not read yet.

    Parameters
    ----------
    path
        A file or OME-Zarr image, as `find_sources` returns.
    voxel_size_a
        Edge of a voxel in angstrom, where the file does not say.

    Raises
    ------
    DataError
        If it is no whole volume of a supported kind, or its voxel size is not known.
    """
    kind = ending_of(path)
    if kind == _ZARR:
        found = read_multiscale(path, voxel_size_a)
        source = TomogramSource(
            path, found.shape, voxel_type(found.dtype), found.voxel_size_a, header=found
        )
    elif kind in TIFF_SUFFIXES:
        source = _open_tiff(path, voxel_size_a)
    else:
        header = read_mrc_header(path)
        header.check_volume()
        source = TomogramSource(
            path,
            header.shape,
            header.dtype.newbyteorder("="),
            header.voxel_size_a(voxel_size_a),
            header.start_voxels,
            header.notes,
            header,
        )
    if min(source.shape) < 2:
        raise DataError(f"{path}: found shape {source.shape}, expected a volume (z, y, x)")
    return source


def voxel_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that voxels of `dtype` are kept in: themselves, 64 bits as float32."""
    return np.dtype(np.float32) if dtype.itemsize > 4 else dtype.newbyteorder("=")


def _open_tiff(path: Path, given: float | None) -> TomogramSource:
    """Read a TIFF stack's tags; ImageJ writes voxels per unit in its resolution tags."""
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            shape, dtype = series.shape, series.dtype
            meta = tiff.imagej_metadata or {}
            tag = tiff.pages.first.tags.get("XResolution")
    except (OSError, ValueError, IndexError, tifffile.TiffFileError) as error:
        raise DataError(
            f"{path}: cannot be read as a TIFF stack ({error}); copy it again"
        ) from error
    if len(shape) != 3 or dtype is None or dtype.kind not in "iuf":
        raise DataError(f"{path}: found shape {shape} of {dtype}, expected a volume (z, y, x)")
    unit = _ANGSTROM_PER_UNIT.get(str(meta.get("unit")))
    z, y, x = shape
    found = None
    if tag is not None and unit is not None and tag.value[0]:
        voxels, units = tag.value
        found = unit * units / voxels
    return TomogramSource(path, (z, y, x), voxel_type(dtype), agreed_size(path, found, given))


def _tiff_voxels(path: Path, spill: Path) -> MappedVoxels:
    """Map a TIFF stack that lies in one piece; unpack any other into `spill`, page by page."""
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            dtype = np.dtype(tiff.byteorder + series.dtype.char)
            if series.dataoffset is not None and dtype.kind in "iuf":
                return MappedVoxels(path, dtype, series.dataoffset, series.shape)
            tiff.asarray(out=str(spill))
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise DataError(
            f"{path}: cannot be read as a TIFF stack ({error}); copy it again"
        ) from error
    return MappedVoxels(spill.resolve(), dtype.newbyteorder("="), 0, series.shape)
