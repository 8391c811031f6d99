"""What ingest, extract and the store of runs cost at three sizes, and whether that is a line.

`python -m tests.benchmarks.scaling` prints bytes and seconds of processor time, which says
the same beside other work. A line through the two smaller sizes predicts the largest;
docs/scaling.md goes on from there. Under two minutes.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import mlflow
import numpy as np
import pandas as pd
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.particles.stack import TABLE, open_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.data.tomograms.store import open_tomogram
from latentlaw.tracking.names import LOSS_TERMS
from latentlaw.tracking.reading.queries import list_runs
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import stage_run
from scipy.spatial.transform import Rotation

from pipelines.cli.command import quiet
from pipelines.cli.parameters import build
from pipelines.training.parameters import Train

EDGES = (96, 144, 216)  # voxels; 3.4 times as many each
PARTICLES = (500, 2000, 8000)
BOX = 16
RUNS = (20, 60, 180)
EPOCHS = 50
METRICS = [f"{split}/{term}" for split in ("train", "val") for term in LOSS_TERMS]
VOXEL_A = 10.0

Result = TypeVar("Result")
#: Size, bytes on disk, CPU seconds to make, and to open or list.
Point = tuple[int, int, float, float]


def main() -> None:
    """Measure in a folder that is removed afterwards."""
    quiet()
    with tempfile.TemporaryDirectory(prefix="latentlaw-scaling-") as scratch:
        os.chdir(scratch)
        report(Path(scratch))


def report(folder: Path) -> None:
    """Print a row a size, then what a row of the table of particles takes."""
    print("| what | size | bytes | a unit | make, CPU s | open, CPU s | bytes/line | make/line |")
    print("|---|---|---|---|---|---|---|---|")
    for what, measure, sizes in (
        ("ingest, voxels", tomograms, EDGES),
        (f"extract, boxes of {BOX}^3", stacks, PARTICLES),
        (f"runs of {EPOCHS} epochs, {len(METRICS)} metrics", runs, RUNS),
    ):
        points: list[Point] = []
        (folder / "first").mkdir(exist_ok=True)
        list(measure(folder / "first", sizes[:1]))  # pays for imports
        for point in measure(folder, sizes):
            points.append(point)
            size, total, made_s, opened_s = point
            shares = [""] * 2
            if len(points) == 3:
                shares = [f"{point[i] / expected(points, i):.2f}" for i in (1, 2)]
            print(
                f"| {what} | {size:,} | {total:,} | {total / size:.4g} | {made_s:.2f} | "
                f"{opened_s:.3f} | {shares[0]} | {shares[1]} |",
                flush=True,
            )
    stack = folder / f"n{PARTICLES[-1]}.particles.zarr"
    disk = (stack / TABLE).stat().st_size / PARTICLES[-1]
    memory = int(open_stack(stack).table.memory_usage(deep=True).sum()) / PARTICLES[-1]
    print(f"\nA row of the table: {disk:.0f} bytes on disk, {memory:.0f} in memory.")


def expected(points: list[Point], column: int) -> float:
    """Return what a line through the two smaller sizes says of the largest."""
    (x0, y0), (x1, y1), (x2, _) = ((float(p[0]), float(p[column])) for p in points)
    return y0 + (y1 - y0) * (x2 - x0) / (x1 - x0)


def tomograms(folder: Path, sizes: tuple[int, ...]) -> Iterator[Point]:
    """Ingest noise, which compresses as measured tomograms do: hardly."""
    random = np.random.default_rng(0)
    for edge in sizes:
        source = folder / f"t{edge}.mrc"
        write_mrc(source, random.normal(size=(edge,) * 3).astype(np.float32), VOXEL_A)
        made_s, report = timed(
            lambda source=source: ingest_tomograms(source, folder / "stores", scheduler="threads")
        )
        (store,) = report.stores
        opened_s, _ = timed(lambda store=store: open_tomogram(store))
        yield edge**3, on_disk(store), made_s, opened_s


def stacks(folder: Path, sizes: tuple[int, ...]) -> Iterator[Point]:
    """Extract from the largest of these tomograms that there is."""
    random = np.random.default_rng(0)
    edge = max(edge for edge in EDGES if (folder / f"t{edge}.mrc").exists())
    inside = (edge - 2 * BOX) * VOXEL_A
    for count in sizes:
        places = random.uniform(0, inside, size=(count, 3)) + BOX * VOXEL_A
        table = pd.DataFrame(places, columns=list("zyx"))
        table[["qw", "qx", "qy", "qz"]] = Rotation.random(count, rng=random).as_quat(
            scalar_first=True
        )
        table.insert(0, "tomogram", f"t{edge}")
        table.to_csv(folder / "places.csv", index=False)
        out = folder / f"n{count}.particles.zarr"
        made_s, _ = timed(
            lambda out=out: extract_particles(
                folder / "stores" / f"t{edge}.ome.zarr", folder / "places.csv", out, box=BOX
            )
        )
        opened_s, _ = timed(lambda out=out: open_stack(out))
        yield count, on_disk(out), made_s, opened_s


def runs(folder: Path, sizes: tuple[int, ...]) -> Iterator[Point]:
    """Log runs with the parameters and metrics of a training, and list them as pages do."""
    parameters = build(Train, {"data": "a.particles.zarr"}).model_dump()
    for count in sizes:
        store = folder / f"runs{count}.db"
        uri = f"sqlite:///{store}"
        mlflow.set_tracking_uri(uri)
        with stage_run("first", {}):
            pass  # makes the tables
        empty = store.stat().st_size

        def log(count: int = count) -> None:
            for _ in range(count):
                with (
                    stage_run("train", parameters) as run,
                    EpochLogger(run.info.run_id) as epochs,
                ):
                    for epoch in range(EPOCHS):
                        epochs(epoch, dict.fromkeys(METRICS, 0.5))

        made_s, _ = timed(log)
        opened_s, _ = timed(lambda uri=uri: list_runs(uri))
        yield count, store.stat().st_size - empty, made_s, opened_s


def timed(job: Callable[[], Result]) -> tuple[float, Result]:
    """Return seconds of processor time, of all threads, and the result."""
    start = time.process_time()
    result = job()
    return time.process_time() - start, result


def on_disk(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
