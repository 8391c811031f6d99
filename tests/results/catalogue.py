"""Every measurement, by its record's name, in the order in which `make results` makes them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from tests.results import benchmarks, cells, gpu, main_job, timed
from tests.results import comparisons as compare
from tests.results.comparisons import compared
from tests.results.records import Row
from tests.results.scratch import Scratch


@dataclass(frozen=True)
class Measurement:
    """How rows are measured, and about how many minutes that takes on one core."""

    measure: Callable[[Scratch], Iterable[Row]]
    minutes: float


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
        benchmarks.on_data("prior_agreement", "structures", "templates_10A", out=False), 3
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
        benchmarks.on_data("crossing", "structures", "tomograms/shrec_like", real=False), 18
    ),
    "ribosomes": Measurement(
        benchmarks.on_data("crossing", "structures", "real_subtomograms_70S", real=True), 16
    ),
    "unmet_prior": Measurement(
        partial(compared, data="subtomograms", asked={}, preset="subtomograms"), 10
    ),
    "pose": Measurement(benchmarks.pose, 12),
    "picking": Measurement(benchmarks.picking, 8),
    "picking_abroad": Measurement(
        benchmarks.on_data("picking_abroad", "structures", "tomograms/shrec_like"), 20
    ),
    "disentanglement": Measurement(benchmarks.benchmark("disentanglement"), 6),
    "laws_15": Measurement(partial(cells.laws, tasks=_TASKS_15, nodes=15, budget_s=20), 50),
    "laws_20": Measurement(partial(cells.laws, tasks=_TASKS_20, nodes=20, budget_s=30), 50),
    "law_transfer": Measurement(benchmarks.on_data("law_transfer", "jurkat", "cells"), 15),
    "sparse_methods": Measurement(cells.sparse_methods, 8),
    "planted_laws": Measurement(benchmarks.benchmark("planted_laws"), 14),
    "robust_3": Measurement(
        partial(cells.robust, merge="Interphase=G1+S+G2", hold_out="Anaphase,Telophase"), 4
    ),
    "robust_7": Measurement(partial(cells.robust, merge=None, hold_out=None), 4),
    "novelty_cells": Measurement(cells.novelty_cells, 10),
    "novelty_phantoms": Measurement(cells.novelty_phantoms, 30),
    "gate_rates": Measurement(benchmarks.benchmark("gate_rates"), 2),
    "gpu": Measurement(gpu.rates, 5),
    "data_layer": Measurement(timed.held_by_tests, 12),
    **{name: Measurement(benchmarks.speed(name), 2) for name in SPEED},
}
