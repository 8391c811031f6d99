"""MRC files: what is read is what was written; what is damaged is named."""

import bz2
import contextlib
import gzip
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latentlaw.data.formats.mrc import open_mrc, read_map, write_mrc
from latentlaw.errors import DataError

VOLUME = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tomo, é 1.mrc"
    write_mrc(file, VOLUME, 10.0)
    return file


def patch(path: Path, **fields: object) -> None:
    with mrcfile.open(path, "r+", permissive=True) as file:
        for name, value in fields.items():
            file.header[name] = value


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float32, np.uint16, np.float16])
def test_round_trip_of_modes(tmp_path: Path, dtype: type) -> None:
    write_mrc(tmp_path / "a.mrc", VOLUME.astype(dtype), 7.84)
    volume = open_mrc(tmp_path / "a.mrc")
    assert volume.data.dtype == dtype
    assert volume.voxel_size_a == pytest.approx(7.84)
    np.testing.assert_array_equal(volume.data, VOLUME.astype(dtype))


def test_plain_file_is_mapped_and_cannot_be_written(path: Path) -> None:
    data = open_mrc(path).data
    assert isinstance(data, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 1


@pytest.mark.parametrize(("ending", "module"), [(".gz", gzip), (".bz2", bz2)])
def test_compressed(path: Path, ending: str, module: object) -> None:
    packed = path.with_name(path.name + ending)
    packed.write_bytes(module.compress(path.read_bytes()))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(open_mrc(packed).data, VOLUME)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"found|ended before"):
        open_mrc(packed)


def test_big_endian(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(bytes(raw[:1024]), mrcfile.dtypes.HEADER_DTYPE).byteswap()
    raw[:1024] = header.tobytes()
    raw[208:212] = b"MAP "
    raw[212:216] = b"\x11\x11\x00\x00"
    raw[1024:] = VOLUME.astype(">f4").tobytes()
    path.write_bytes(raw)
    np.testing.assert_array_equal(open_mrc(path).data, VOLUME)


def test_permuted_axes_are_transposed(path: Path) -> None:
    # Columns run along z, rows along x, sections along y.
    patch(path, mapc=3, mapr=1, maps=2, cella=(30, 20, 40), mx=3, my=2, mz=4)
    volume = open_mrc(path)
    assert volume.data.shape == (4, 2, 3)
    assert volume.data[3, 1, 2] == VOLUME[1, 2, 3]
    assert volume.data[0, 1, 2] == VOLUME[1, 2, 0]


def test_start_is_kept_in_zyx(path: Path) -> None:
    patch(path, nxstart=5, nystart=-6, nzstart=7)
    assert open_mrc(path).start_voxels == (7, -6, 5)


def test_bytes_without_sign_from_imod(tmp_path: Path) -> None:
    file = tmp_path / "a.rec"
    write_mrc(file, np.full((2, 3, 4), -1, np.int8), 10.0)
    raw = bytearray(file.read_bytes())
    raw[152:160] = np.array([1146047817, 0], "<i4").tobytes()
    file.write_bytes(raw)
    assert open_mrc(file).data.max() == 255


def test_cut_off_file_names_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"tomo, é 1\.mrc: header says 1120 bytes, found 1112"):
        open_mrc(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found 0 bytes"),
        (b"x" * 5000, "expected MRC2014"),
        (b"\0" * 1024, "expected MRC2014"),
    ],
)
def test_not_an_mrc(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.mrc").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_mrc(tmp_path / "a.mrc")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": 4}, "found mode 4, expected one of"),
        ({"nx": 2**30, "ny": 2**30}, "the header is damaged"),
        ({"nx": -1}, "the header is damaged"),
        ({"nx": 60000, "ny": 60000, "nz": 60000}, "header says 864000000001024 bytes"),
        ({"nsymbt": -5}, "the header is damaged"),
        ({"ispg": 401}, "stack of volumes .ispg 401"),
        ({"ispg": 0, "mz": 1}, "found 2-D images"),
        ({"mapc": 1, "mapr": 1}, "found mapc, mapr, maps"),
        ({"cella": (0, 0, 0)}, "pass voxel_size"),
        ({"cella": (-40, -30, -20)}, "pass voxel_size"),
        ({"cella": (40, 30, 90)}, "45, 10, 10.*pass voxel_size"),
    ],
)
def test_bad_headers(path: Path, fields: dict[str, object], message: str) -> None:
    patch(path, **fields)
    with pytest.raises(DataError, match=message):
        open_mrc(path)


def test_one_image_is_no_volume_but_a_map(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", VOLUME[:1], 10.0)
    with pytest.raises(DataError, match="one 2-D image"):
        open_mrc(tmp_path / "a.mrc")
    assert read_map(tmp_path / "a.mrc")[0].shape == (3, 4)


def test_given_voxel_size(path: Path) -> None:
    assert open_mrc(path, voxel_size_a=10.05).voxel_size_a == 10.05
    with pytest.raises(
        DataError, match="found 10 angstrom per voxel, expected the 1 of voxel_size"
    ):
        open_mrc(path, voxel_size_a=1.0)
    patch(path, cella=(0, 0, 0))
    assert open_mrc(path, voxel_size_a=7.0).voxel_size_a == 7.0
    assert read_map(path)[1] is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 1023), byte=st.integers(0, 255))
def test_any_damaged_byte_is_read_or_refused(path: Path, place: int, byte: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] = byte
    broken = path.with_name("broken.mrc")
    broken.write_bytes(raw)
    with contextlib.suppress(DataError):
        assert open_mrc(broken).data.nbytes <= len(raw)


def test_real_maps(shared_data: Path) -> None:
    for file in sorted((shared_data / "maps").iterdir()):
        data, size = read_map(file)
        assert data.ndim == 3
        assert size is None or 1 < size < 20
    data, size = read_map(next(iter(sorted((shared_data / "subtomograms").glob("*.mrcs.gz")))))
    assert data.shape == (64, 64, 64)
    assert size is None
    assert read_map(shared_data / "maps" / "EMD-3001.map")[0].shape == (73, 25, 43)
