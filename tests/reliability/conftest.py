"""Inputs that the rows of the scorecard share, and commands as a user types them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pandas as pd
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bundles import ScoringServer

Volume = NDArray[np.float32]


@pytest.fixture
def volume() -> Volume:
    """Return a volume `(z, y, x)` of noise that spans several ragged shards."""
    return np.random.default_rng(0).normal(size=(33, 37, 41)).astype(np.float32)


@pytest.fixture
def mrc(tmp_path: Path, volume: Volume) -> Path:
    """Return the volume as an MRC file of 10 angstrom a voxel."""
    write_mrc(tmp_path / "tomo.mrc", volume, 10.0)
    return tmp_path / "tomo.mrc"


@pytest.fixture
def store(tmp_path: Path, mrc: Path) -> Path:
    """Return the volume as a tomogram store of chunks of 8 and shards of 16 voxels."""
    report = ingest_tomograms(mrc, tmp_path / "stores", chunk=8, shard=16, scheduler="threads")
    return report.stores[0]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Return a particle stack of noise, 40 images `(1, 8, 8)` of two classes."""
    path = tmp_path / "s.particles.zarr"
    with new_stack(path, item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 20, "group": np.arange(40).astype(str)})
        writer.append(np.random.default_rng(0).normal(size=(40, 1, 8, 8)), table)
    return path


@pytest.fixture
def patch_header() -> Callable[..., None]:
    """Return a function that sets fields of an MRC header."""

    def patch(path: Path, **fields: object) -> None:
        with mrcfile.open(path, "r+", permissive=True) as file:
            for name, value in fields.items():
                file.header[name] = value

    return patch


@pytest.fixture
def refused(entry: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs an entry, which must exit with 2, and gives what it said."""

    def run(name: str, /, **parameters: object) -> str:
        assert entry(name, **parameters) == 2
        return capsys.readouterr().err

    return run


@pytest.fixture(scope="module")
def scoring_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ScoringServer]":
    """Return a server of a tiny model, with limits that a test can reach."""
    from tests.bundles import ScoringServer, tiny_bundle

    folder = tmp_path_factory.mktemp("serving") / "bundle"
    tiny_bundle().save(folder)
    limits = ("--body-bytes", str(2**20), "--particles", "100", "--body-s", "2", "--requests", "3")
    server = ScoringServer(folder, *limits)
    server.start()
    yield server
    server.kill()
