"""Reading images: channels first whatever the format, and values kept."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.formats.images import channels_first, image_kind, image_stem, read_image
from latentlaw.errors import DataError
from numpy.typing import NDArray
from PIL import Image


def values(*shape: int) -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)


@given(st.permutations("CZYX"))
def test_any_order_of_named_axes_is_brought_to_c_z_y_x(order: list[str]) -> None:
    data = values(2, 5, 6, 7)
    stored = data.transpose(["CZYX".index(axis) for axis in order])
    np.testing.assert_array_equal(channels_first(stored, "".join(order)), data)


@pytest.mark.parametrize(
    ("options", "stored", "read"),
    [
        ({}, (8, 9), (1, 8, 9)),
        ({}, (6, 8, 9), (1, 6, 8, 9)),
        ({"photometric": "minisblack"}, (3, 8, 9), (3, 8, 9)),
        ({"metadata": {"axes": "CYX"}}, (6, 8, 9), (6, 8, 9)),
        ({"metadata": {"axes": "ZYX"}}, (2, 8, 9), (1, 2, 8, 9)),
        ({"imagej": True, "metadata": {"axes": "ZCYX"}}, (6, 2, 8, 9), (2, 6, 8, 9)),
        ({"ome": True, "metadata": {"axes": "CZYX"}}, (2, 6, 8, 9), (2, 6, 8, 9)),
        ({"photometric": "rgb"}, (8, 9, 3), (3, 8, 9)),
        ({"photometric": "rgb", "extrasamples": ["unassalpha"]}, (8, 9, 4), (3, 8, 9)),
    ],
)
def test_tiff_axes(tmp_path: Path, options: Any, stored: Any, read: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values(*stored), **options)
    image, size = read_image(tmp_path / "a.tif")
    assert image.shape == read
    assert image.dtype == np.uint16
    assert size is None
    assert set(image.ravel()) <= set(values(*stored).ravel())


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ((8, 9), (1, 8, 9)),
        ((4, 8, 9), (4, 8, 9)),
        ((5, 8, 9), (1, 5, 8, 9)),
        ((2, 5, 8, 9), (2, 5, 8, 9)),
    ],
)
def test_up_to_four_planes_without_a_name_are_channels(
    tmp_path: Path, stored: tuple[int, ...], read: tuple[int, ...]
) -> None:
    np.save(tmp_path / "a.npy", values(*stored))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy")[0], values(*stored).reshape(read))


def png(path: Path, data: NDArray[np.uint16], colour: int) -> None:
    """Write 16-bit samples `(y, x[, s])`; Pillow writes none but grey."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in data)
    header = struct.pack(">IIBBBBB", data.shape[1], data.shape[0], 16, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))


def test_png_keeps_16_bits_of_grey_and_refuses_to_halve_those_of_colours(tmp_path: Path) -> None:
    png(tmp_path / "grey.png", values(8, 9), 0)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[0][0], values(8, 9))
    for name, colour, samples in (("rgb", 2, 3), ("grey_alpha", 4, 2)):
        png(tmp_path / f"{name}.png", values(8, 9, samples), colour)
        with pytest.raises(DataError, match=rf"{name}\.png.*16-bit colours.*TIFF"):
            read_image(tmp_path / f"{name}.png")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3)])
def test_transparency_is_no_channel(tmp_path: Path, mode: str, channels: int) -> None:
    grey = Image.fromarray((values(8, 9) % 256).astype(np.uint8))
    grey.convert(mode).save(tmp_path / "a.png")
    image, _ = read_image(tmp_path / "a.png")
    assert image.shape == (channels, 8, 9)
    np.testing.assert_array_equal(image[0], values(8, 9) % 256)


@pytest.mark.parametrize("shape", [(8,), (2, 2, 2, 8, 8), (0, 8)])
def test_what_is_no_image_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(DataError, match=r"a\.npy: found shape .*expected an image"):
        read_image(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((8, 8), complex))
    with pytest.raises(DataError, match="complex128"):
        read_image(tmp_path / "a.npy")


def test_kinds_and_stems() -> None:
    assert image_kind(Path("a.b/CELL.TIFF")) == "tiff"
    assert image_kind(Path("a.mrcs.gz")) == "mrc"
    assert image_kind(Path("a.csv")) is None
    assert image_stem("1b23_1.2.mrc.gz") == "1b23_1.2"
