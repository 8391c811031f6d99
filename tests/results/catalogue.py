"""Every measurement, by its record's name, in the order in which `make results` makes them."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from latentlaw.tracking.recording.runs import configure_tracking

from tests.results import cells, main_job, timed
from tests.results import comparisons as compare
from tests.results.comparisons import compared
from tests.results.records import ROOT, Row
from tests.results.scratch import DATA, WORK, AbsentError, Scratch


@dataclass(frozen=True)
class Measurement:
    """How rows are measured, and about how many minutes that takes on one core."""

    measure: Callable[[Scratch], Iterable[Row]]
    minutes: float


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
    from mlflow.tracking import MlflowClient

    from tests.benchmarks.picking import measure

    here = ROOT / WORK / "demo"
    if not (here / "mlflow.db").exists():
        raise AbsentError("the demo is absent; first run python -m tests.results demo")
    configure_tracking(f"sqlite:///{here}/mlflow.db")
    client = MlflowClient()
    experiments = [each.experiment_id for each in client.search_experiments()]
    trained = client.search_runs(
        experiments, "tags.`latentlaw.stage` = 'train'", order_by=["start_time ASC"]
    )
    yield from measure(trained[0].info.run_id, here / "data")


_POSE_LETTERS = "letters --each 100 --epochs 16 --beta 5e-3 --rate 3e-3"
_POSE_VOLUMES = "volumes --each 200 --epochs 12 --rate 3e-3"
#: What is asked of the median error, degrees, by the options of `pose_accuracy`.
POSES = {
    _POSE_VOLUMES: 20.0,
    f"{_POSE_VOLUMES} --snr 0.1".replace("12", "16"): 30.0,
    f"{_POSE_VOLUMES} --snr 0.1 --wedge 60".replace("12", "16"): 30.0,
    f"{_POSE_VOLUMES} --snr 0.1 --wedge 60 --seed 1".replace("12", "16"): 30.0,
    **{f"{_POSE_LETTERS} --seed {seed}": 10.0 for seed in range(3)},
}


def pose(scratch: Scratch) -> Iterator[Row]:
    """Train splat decoders and compare their poses with the true orientations."""
    from tests.benchmarks.pose_accuracy import main

    scratch.data("templates_10A")
    for options, asked in POSES.items():
        scratch.commands.append(f"python -m tests.benchmarks.pose_accuracy {options}")
        for kind, errors in main(options.split()).items():
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


SPEED = (
    "batches", "extract", "ingest", "predict", "training", "splat", "tuning", "serving",
    "cold_start", "dashboard", "clusters",
)  # fmt: skip
_JURKAT = "jurkat/jurkat_dna.npz"
_TASKS_15 = {
    "interphase, prophase": ("Interphase=G1+S+G2,Prophase", 0.92),
    "interphase, metaphase": ("Interphase=G1+S+G2,Metaphase", 0.99),
}
_TASKS_20 = {
    "G2, prophase": ("G2,Prophase", 0.85),
    "interphase, prophase, late mitosis": (
        "Interphase=G1+S+G2,Prophase,Late=Metaphase+Anaphase+Telophase",
        0.92,
    ),
}
MEASUREMENTS = {
    "demo": Measurement(main_job.demo, 5),
    "fresh_clone": Measurement(timed.fresh_clone, 12),
    "cells": Measurement(partial(main_job.real, source="cells", classes=5, seeds=4), 6),
    "jurkat": Measurement(partial(main_job.real, source=_JURKAT, classes=7, seeds=1), 3),
    "alphanumeric": Measurement(
        partial(
            main_job.real,
            source="alphanumeric",
            classes=12,
            seeds=2,
            prior="alphanumeric/affinity_an.csv",
        ),
        4,
    ),
    "subtomograms": Measurement(
        partial(
            main_job.real,
            source="subtomograms",
            classes=6,
            seeds=1,
            prior="subtomograms/affinity_fsc.csv",
        ),
        7,
    ),
    "at_scale": Measurement(timed.at_scale, 1),
    "prior_agreement": Measurement(
        on_data("prior_agreement", "structures", "templates_10A", out=False), 3
    ),
    "letters": Measurement(
        partial(
            compared,
            data="alphanumeric",
            asked={
                compare.SILHOUETTE: 0.7,
                compare.KNN: 0.9,
                compare.ROTATION: 0.9,
                compare.SEEN: 0.95,
                compare.AUROC: 0.8,
            },
            preset="alphanumeric",
            epochs=300,
            models="affinity-vae,no-prior,cnn",
        ),
        24,
    ),
    "ablations": Measurement(
        partial(
            compared, data="alphanumeric", asked={}, preset="alphanumeric", epochs=100, seeds=2
        ),
        8,
    ),
    "rendered": Measurement(
        partial(
            compared,
            data="alphanumeric",
            asked={
                compare.SILHOUETTE: 0.8,
                f"{compare.KNN} / {compare.CNN}": 0.97,
                compare.ROTATION: 0.95,
                compare.SEEN: 0.95,
                compare.UNSEEN: 0.7,
                compare.AUROC: 0.9,
            },
            preset="alphanumeric-rendered",
        ),
        11,
    ),
    "shrec": Measurement(
        partial(
            compared,
            data="templates_10A",
            asked={
                f"{compare.SILHOUETTE} - {compare.BETA}": 0.2,
                f"{compare.MACRO_F1} / {compare.CNN}": 0.97,
                compare.ROTATION: 0.9,
                compare.SEEN: 0.9,
                compare.UNSEEN: 0.7,
                compare.AUROC: 0.85,
            },
            preset="shrec",
        ),
        25,
    ),
    "crossing": Measurement(
        on_data("crossing", "structures", "tomograms/shrec_like", real=False), 18
    ),
    "ribosomes": Measurement(
        on_data("crossing", "structures", "real_subtomograms_70S", real=True), 16
    ),
    "unmet_prior": Measurement(
        partial(compared, data="subtomograms", asked={}, preset="subtomograms"), 10
    ),
    "pose": Measurement(pose, 12),
    "picking": Measurement(picking, 8),
    "picking_abroad": Measurement(
        on_data("picking_abroad", "structures", "tomograms/shrec_like"), 20
    ),
    "disentanglement": Measurement(benchmark("disentanglement"), 6),
    "laws_15": Measurement(partial(cells.laws, tasks=_TASKS_15, nodes=15, budget_s=20), 50),
    "laws_20": Measurement(partial(cells.laws, tasks=_TASKS_20, nodes=20, budget_s=30), 50),
    "law_transfer": Measurement(on_data("law_transfer", "jurkat", "cells"), 15),
    "sparse_methods": Measurement(cells.sparse_methods, 8),
    "planted_laws": Measurement(benchmark("planted_laws"), 14),
    "robust_3": Measurement(
        partial(cells.robust, merge="Interphase=G1+S+G2", hold_out="Anaphase,Telophase"), 4
    ),
    "robust_7": Measurement(partial(cells.robust, merge=None, hold_out=None), 4),
    "novelty_cells": Measurement(cells.novelty_cells, 10),
    "novelty_phantoms": Measurement(cells.novelty_phantoms, 30),
    "gate_rates": Measurement(benchmark("gate_rates"), 2),
    "data_layer": Measurement(timed.held_by_tests, 12),
    **{name: Measurement(speed(name), 2) for name in SPEED},
}
