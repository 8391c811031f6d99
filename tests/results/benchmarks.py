"""Measurements by modules of `tests.benchmarks`, whose `measure` yields rows."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from latentlaw.tracking.names import TAG_STAGE
from latentlaw.tracking.recording.runs import configure_tracking
from mlflow.tracking import MlflowClient

from tests.results.records import ROOT, Row
from tests.results.scratch import DATA, WORK, AbsentError, Scratch


def benchmark(name: str) -> Callable[[Scratch], Iterable[Row]]:
    """Return `measure` of a module of `tests.benchmarks` that needs nothing."""
    return lambda _scratch: _module(name).measure()


def speed(name: str) -> Callable[[Scratch], Iterable[Row]]:
    """Return a measurement of `tests.benchmarks.bench_NAME`, which yields ratios."""
    return lambda _scratch: [each.row for each in _module(f"bench_{name}").measure()]


def on_data(name: str, *needs: str, out: bool = True, **options: Any) -> Callable[[Scratch], Any]:
    """Return `measure` of a module of `tests.benchmarks` that reads the folder of real inputs.

    Parameters
    ----------
    needs
        What of that folder it reads.
    out
        Whether it takes a folder for what it makes.
    """

    def measure(scratch: Scratch) -> Any:
        for need in needs:
            scratch.data(need)
        scratch.track()
        folders = (ROOT / DATA, ROOT / scratch.folder) if out else (ROOT / DATA,)
        return _module(name).measure(*folders, **options)

    return measure


def _module(name: str) -> Any:
    return importlib.import_module(f"tests.benchmarks.{name}")


def picking(_scratch: Scratch) -> Iterator[Row]:
    """Pick particles in the tomograms of the measurement `demo`, with its model."""
    here = ROOT / WORK / "demo"
    if not (here / "mlflow.db").exists():
        raise AbsentError("the demo is absent; first run python -m tests.results demo")
    configure_tracking(f"sqlite:///{here}/mlflow.db")
    client = MlflowClient()
    experiments = [each.experiment_id for each in client.search_experiments()]
    trained = client.search_runs(
        experiments, f"tags.`{TAG_STAGE}` = 'train'", order_by=["start_time ASC"]
    )
    yield from _module("picking").measure(trained[0].info.run_id, here / "data")


_LETTERS = "letters --each 100 --epochs 16 --beta 5e-3 --rate 3e-3"
_VOLUMES = "volumes --each 200 --rate 3e-3 --epochs"
#: What is asked of the median error, degrees, by the options of `pose_accuracy`.
POSES = {
    f"{_VOLUMES} 12": 20.0,
    f"{_VOLUMES} 16 --snr 0.1": 30.0,
    f"{_VOLUMES} 16 --snr 0.1 --wedge 60": 30.0,
    f"{_VOLUMES} 16 --snr 0.1 --wedge 60 --seed 1": 30.0,
    **{f"{_LETTERS} --seed {seed}": 10.0 for seed in range(3)},
}


def pose(scratch: Scratch) -> Iterator[Row]:
    """Train splat decoders and compare their poses with the true orientations."""
    scratch.data("templates_10A")
    for options, asked in POSES.items():
        scratch.commands.append(f"python -m tests.benchmarks.pose_accuracy {options}")
        for kind, errors in _module("pose_accuracy").main(options.split()).items():
            worst = max(errors, key=lambda name: errors[name])
            yield Row(
                f"`{options}`",
                errors["all"],
                "deg",
                column=kind,
                at_most=asked if kind == "searched" else None,
                beside=f"(worst: {worst} {errors[worst]:.1f})",
                table="median error",
            )
