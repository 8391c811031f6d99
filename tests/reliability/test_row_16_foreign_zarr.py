"""OME-Zarr of others is read where it says what it is, and refused where one had to guess."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.errors import DataError
from numpy.typing import NDArray

AXES = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
SCALE = [{"type": "scale", "scale": [1.2, 1.2, 1.2]}]


def ome_zarr(path: Path, volume: NDArray[Any], version: str, **changes: Any) -> Path:
    """Write an OME-Zarr image as another tool would; `changes` replace parts of its metadata."""
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    array = group.create_array(
        "0", shape=volume.shape, chunks=(8,) * volume.ndim, dtype=volume.dtype
    )
    array[:] = volume
    image: dict[str, Any] = {
        "version": version,
        "axes": AXES,
        "datasets": [{"path": "0", "coordinateTransformations": SCALE}],
    } | changes
    ome: Any = {"multiscales": [image]}
    group.update_attributes(ome if version == "0.4" else {"ome": {"version": version, **ome}})
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_row_16_foreign_zarr_is_read(
    tmp_path: Path, volume: NDArray[np.float32], version: str
) -> None:
    source = ome_zarr(tmp_path / "other.zarr", volume, version)
    report = ingest_tomograms(source, tmp_path / "out", chunk=8, shard=16, scheduler="threads")
    tomogram = open_tomogram(report.stores[0])
    assert tomogram.voxel_size_a == pytest.approx(12.0)
    np.testing.assert_array_equal(tomogram.levels[0][:], volume)


def test_row_16_single_channel_of_doubles(tmp_path: Path, volume: NDArray[np.float32]) -> None:
    axes = [{"name": "c", "type": "channel"}, *AXES]
    dataset = [
        {
            "path": "0",
            "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.2, 1.2, 1.2]}],
        }
    ]
    source = ome_zarr(
        tmp_path / "o.zarr", volume[None].astype(np.float64), "0.5", axes=axes, datasets=dataset
    )
    report = ingest_tomograms(source, tmp_path / "out", scheduler="threads")
    array = open_tomogram(report.stores[0]).levels[0]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[:], volume)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": [{"name": n, "unit": "nanometer"} for n in "xyz"]}, "axes ['x', 'y', 'z']"),
        ({"axes": [{"name": n} for n in "zyx"]}, "pass voxel_size in angstrom"),
        ({"datasets": [{"path": "0"}]}, "found scale none"),
        (
            {"datasets": [{"path": "0", "coordinateTransformations": [
                {"type": "scale", "scale": [1.2, 1.2, 3.0]}]}]},
            "expected one positive size",
        ),
        ({"datasets": []}, "not an OME-Zarr image"),
    ],
)  # fmt: skip
def test_row_16_foreign_zarr_is_refused(
    tmp_path: Path, volume: NDArray[np.float32], changes: dict[str, Any], message: str
) -> None:
    source = ome_zarr(tmp_path / "other.zarr", volume, "0.5", **changes)
    failures = ingest_tomograms(source, tmp_path / "out", scheduler="threads").failures
    assert message in failures[0]
    assert not (tmp_path / "out").exists()


def test_row_16_other_versions_are_refused(tmp_path: Path, volume: NDArray[np.float32]) -> None:
    source = ome_zarr(tmp_path / "other.zarr", volume, "0.6")
    assert (
        "version 0.6"
        in ingest_tomograms(source, tmp_path / "out", scheduler="threads").failures[0]
    )


def test_row_16_malformed_metadata(store: Path, tmp_path: Path) -> None:
    metadata = store / "zarr.json"
    metadata.write_text(metadata.read_text()[:-40])
    with pytest.raises(DataError, match="not a complete tomogram store"):
        open_tomogram(store)
    failures = ingest_tomograms(store, tmp_path / "out", scheduler="threads").failures
    assert "not an OME-Zarr image" in failures[0]


def test_row_16_array_metadata_that_lacks_a_key(store: Path) -> None:
    metadata = store / "s0" / "zarr.json"
    content = json.loads(metadata.read_text())
    del content["chunk_grid"]
    metadata.write_text(json.dumps(content))
    with pytest.raises(DataError, match="not a complete tomogram store"):
        open_tomogram(store)
