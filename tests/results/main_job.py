"""Measurements by the main job, on simulated tomograms and on real images."""

from collections.abc import Iterator, Mapping

from mlflow.entities import Run

from tests.results.records import Row, over_seeds
from tests.results.scratch import Scratch, seconds_of

SILHOUETTE, PRIOR = "separation/silhouette", "separation/affinity_spearman"
ACCURACY, MACRO_F1 = "classification/accuracy", "classification/macro_f1"
EQUATIONS = "discovery/equation_accuracy"
FALSE, LIMIT = "novelty/false_positive_rate", "novelty/false_positive_limit"
PROMISED = 0.05  # the share of known particles with a novelty above 0.95, at most, in the mean
_DEMO = {
    "silhouette (cosine; chance 0)": SILHOUETTE,
    "macro-F1, logistic regression on latents (chance 0.17)": MACRO_F1,
    "macro-F1, KNN on latents (chance 0.17)": "classification/knn_macro_f1",
    "latent cosine under rotation": "rotation/latent_cosine",
    "Spearman of latent similarity and prior (chance 0)": PRIOR,
}
_EQUATIONS = {
    "nodes, all classes": "discovery/equation_complexity",
    "nodes, largest expression": "discovery/equation_complexity_largest",
    "accuracy / the black box's": "discovery/accuracy_ratio",
    "macro-F1": "discovery/equation_macro_f1",
}
#: What `discover` probes each rung of its ladder with, by the metric's name after the rung's.
_PROBES = {
    "accuracy on the probed particles": "robustness/{}/eps_0",
    "no pixel moves by more than 0.05": "robustness/{}/eps_0.05",
    "no pixel moves by more than 0.1": "robustness/{}/eps_0.1",
    "median smallest change, L2": "robustness/{}/median_l2",
    "its energy inside the object": "robustness/{}/inside",
    "chance of that": "robustness/{}/inside_chance",
    "it moves area by (sd)": "robustness/{}/change_area",
    "it moves elongation by (sd)": "robustness/{}/change_elongation",
    "it moves total intensity by (sd)": "robustness/{}/change_total_intensity",
    "noise of 0.1 sd": "shifts/{}/noise_0.1",
    "noise of 0.3 sd": "shifts/{}/noise_0.3",
    "blur of 2 voxels": "shifts/{}/blur_2",
    "light times 0.8": "shifts/{}/intensity_0.8",
    "light times 1.25": "shifts/{}/intensity_1.25",
    "turned by 15 degrees": "shifts/{}/rotation_15",
    "turned by 90 degrees": "shifts/{}/rotation_90",
    "moved by 4 voxels": "shifts/{}/translation_4",
    "equal total intensity": "shifts/{}/equal_intensity",
}
_RUNGS = ("cnn", "resnet", "dense", "sparse", "equation")


def demo(scratch: Scratch) -> Iterator[Row]:
    """Run what `make demo` runs."""
    run = scratch.entry("main", out=scratch.folder / "data")
    ours, plain = (each.data.metrics for each in scratch.children(run, "evaluate"))
    yield from _columns(_DEMO, {"with the prior": ours, "the same network, gamma = 0": plain})
    novelty = "known particles called new"
    yield Row(novelty, ours[FALSE], at_most=PROMISED, column="with the prior",
              beside=f"limit by chance {ours[LIMIT]:.2f}")  # fmt: skip
    (found,) = scratch.children(run, "discover")
    yield from frontier(scratch, found)
    for name, metric in _EQUATIONS.items():
        yield Row(name, found.data.metrics[metric], table="equations that were chosen")
    yield from probes(found)
    seconds = {"all": seconds_of(run), "discover": seconds_of(found)}
    yield Row("the whole job", seconds["all"], "s", at_most=300, table="time of")
    yield Row("of that, discover", seconds["discover"], "s", table="time of")


def _columns(
    measures: Mapping[str, str], columns: Mapping[str, Mapping[str, float]]
) -> Iterator[Row]:
    for measure, metric in measures.items():
        for column, metrics in columns.items():
            if metric in metrics:
                yield Row(measure, metrics[metric], column=column)


def frontier(scratch: Scratch, found: Run) -> Iterator[Row]:
    """Read complexity and scores of each model that `discover` made."""
    for rung in scratch.json(found, "frontier.json"):
        for column in ("complexity", "accuracy", "macro_f1"):
            yield Row(rung["name"], rung[column], column=column, table="model")


def probes(found: Run) -> Iterator[Row]:
    """Read what attacks and natural shifts leave of each rung's accuracy."""
    for name, metric in _PROBES.items():
        for rung in _RUNGS:
            value = found.data.metrics.get(metric.format(rung))
            if value is not None:
                yield Row(name, value, column=rung, table="probe")


def real(
    scratch: Scratch, source: str, classes: int, seeds: int, prior: str = ""
) -> Iterator[Row]:
    """Run the main job on real images, over seeds that each draw another split by group."""
    told = {"source": scratch.data(source), "budget_s": 30, "out": scratch.folder / "data"}
    if prior:
        told["affinity"] = scratch.data(prior)
    runs = [
        scratch.entry("main", **told, name=scratch.folder.name, overwrite="true", seed=seed)
        for seed in range(seeds)
    ]
    every = [run.data.metrics for run in runs]
    found = [scratch.children(run, "discover")[0].data.metrics for run in runs]
    chance = f"chance {1 / classes:.2g}"
    yield over_seeds("macro-F1, logistic regression on latents", [m[MACRO_F1] for m in every],
                     beside=chance)  # fmt: skip
    yield over_seeds("accuracy", [m[ACCURACY] for m in every])
    if all(SILHOUETTE in metrics for metrics in every):
        yield over_seeds("silhouette", [m[SILHOUETTE] for m in every], beside="chance 0")
    yield over_seeds("accuracy of the equations", [m[EQUATIONS] for m in found])
    black = "accuracy of the better network on pixels"
    yield over_seeds(black, [m["discovery/blackbox_accuracy"] for m in found])
    limit = f"limit by chance of a run {every[0][LIMIT]:.2f}"
    yield over_seeds("known particles called new", [m[FALSE] for m in every], beside=limit)
    yield over_seeds("time of a run", [seconds_of(run) for run in runs], unit="s")
