"""Where output cannot be written, that is told at once, before any input is read.

The kernel's own file system stands for a read-only disk: not even root can write to it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.tomogram_samples import make_coordinates, make_tomogram, noise
from tests.reliability.test_row_48_one_output_path import inputs

__all__ = ["inputs"]


@pytest.fixture
def spoiled(
    tmp_path: Path, inputs: dict[str, dict[str, object]], stack: Path
) -> dict[str, dict[str, object]]:
    """Return the inputs, in each of which something is wrong that reading it would tell."""
    (tmp_path / "tomo.mrc").write_bytes(b"no MRC")
    (tmp_path / "maps" / "a.mrc").write_bytes(b"no MRC")
    images = np.full((4, 8, 8), np.nan, np.float32)
    np.savez(tmp_path / "images.npz", images=images, labels=np.array(["a", "b"] * 2))
    (stack / "images" / "c.0.0.0.0").unlink()
    coordinates = make_coordinates(tmp_path / "p.csv", [[np.nan] * 3])
    store = make_tomogram(tmp_path / "stores", noise())
    extracted = {"tomograms": store, "coordinates": coordinates, "box": 8}
    return inputs | {"extract": extracted | {"out": tmp_path / "e.particles.zarr"}}


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("ingest", "out"),
        ("extract", "out"),
        ("collect", "out"),
        ("affinity", "out"),
        ("train", "checkpoints"),
    ],
)
def test_row_45_no_permission(
    refused: Callable[..., str], spoiled: dict[str, dict[str, object]], name: str, option: str
) -> None:
    own = spoiled[name]
    made = Path("/proc/self") / Path(str(own[option])).name
    target = made if name != "ingest" else made.parent
    said = refused(name, **{**own, option: target})
    assert f"/proc/self: no permission to write here; choose another `{option}`" in said
    # The inputs are bad indeed, which is told where the output is not.
    said = refused(name, **own)
    assert "no permission" not in said
