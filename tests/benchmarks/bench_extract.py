"""Extraction against one Zarr read a particle, and against a tomogram that is in memory."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.extraction.cropping import centred_box
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram

from tests.benchmarks.ratio import Ratio, interleaved_seconds

SHAPE, BOX, PARTICLES, SIZE_A = (256, 512, 512), 32, 2000, 10.0
_BATCH = 100  # particles written together
_ONE_BY_ONE = 100  # particles read one by one, each many times slower


def measure() -> list[Ratio]:
    """Return particles a second of ours and of both peers, all writing a stack in memory."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> list[Ratio]:
    generator = np.random.default_rng(0)
    volume = generator.normal(size=SHAPE).astype(np.float32)
    store = folder / "t.ome.zarr"
    write_mrc(folder / "t.mrc", volume, SIZE_A)
    ingest_tomograms(folder / "t.mrc", folder, levels=1, scheduler="threads")
    voxels = generator.uniform(BOX, np.array(SHAPE) - BOX, (PARTICLES, 3))
    table = pd.DataFrame(voxels * SIZE_A, columns=list("zyx")).assign(tomogram="t")
    table.to_csv(folder / "p.csv", index=False)
    array = open_tomogram(store).levels[0]

    def ours() -> None:
        extract_particles(
            store, folder / "p.csv", folder / "ours", box=BOX, scheduler="threads", overwrite=True
        )

    def one_by_one() -> None:
        _crop(array, table.head(_ONE_BY_ONE), folder / "zarr")

    def in_memory() -> None:
        _crop(volume, table, folder / "memory")

    seconds = interleaved_seconds(ours, one_by_one, in_memory, rounds=7)
    rates = [n / s for n, s in zip((PARTICLES, _ONE_BY_ONE, PARTICLES), seconds, strict=True)]
    name = f"extract {PARTICLES} boxes of {BOX}^3 from {SHAPE}"
    return [
        Ratio(name, "one Zarr read a particle", rates[0], rates[1], "1/s", 5.0),
        Ratio(name, "tomogram in memory", rates[0], rates[2], "1/s", 0.5),
    ]


def _crop(source: Any, table: pd.DataFrame, out: Path) -> None:
    """Cut boxes one after another out of an array, and write them as ours are written."""
    positions = table[["z", "y", "x"]].to_numpy() / SIZE_A
    nearest = np.floor(positions + 0.5).astype(int)
    with new_stack(out, item_shape=(1, BOX, BOX, BOX), voxel_size_a=SIZE_A, overwrite=True) as w:
        for start in range(0, len(table), _BATCH):
            rows = slice(start, start + _BATCH)
            boxes = [
                centred_box(source[tuple(slice(i, i + BOX + 2) for i in low)], fraction)
                for low, fraction in zip(
                    nearest[rows] - BOX // 2 - 1, (positions - nearest)[rows], strict=True
                )
            ]
            w.append(np.stack(boxes)[:, None], table.iloc[rows])


def _memory() -> str | None:
    """A folder in memory where there is one, so that no disk is measured."""
    memory = Path("/dev", "shm")
    return str(memory) if memory.is_dir() else None
