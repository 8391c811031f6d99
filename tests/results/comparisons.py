"""Measurements by the entry `compare`: the affinity-VAE, its ablations and a network on pixels."""

from collections.abc import Iterator, Mapping
from statistics import fmean

from tests.results.records import Row, over_seeds
from tests.results.scratch import Scratch, seconds_of

OURS, BETA, CNN = "affinity-vae", "beta-vae", "cnn"
SILHOUETTE, ROTATION = "separation/silhouette", "rotation/latent_cosine"
ACCURACY, MACRO_F1 = "classification/accuracy", "classification/macro_f1"
KNN, KNN_F1 = "classification/knn_accuracy", "classification/knn_macro_f1"
SEEN, UNSEEN, AUROC = (
    "separation/affinity_spearman",
    "novelty/affinity_spearman",
    "novelty/auroc",
)
_NAMES = {
    SILHOUETTE: "silhouette",
    KNN: "accuracy, KNN on latents",
    KNN_F1: "macro-F1, KNN on latents",
    ACCURACY: "accuracy, logistic regression on latents",
    MACRO_F1: "macro-F1, logistic regression on latents",
    ROTATION: "latent cosine under rotation",
    SEEN: "Spearman with the prior, seen classes",
    UNSEEN: "Spearman with the prior, pairs with an unseen class",
    AUROC: "novelty AUROC of the unseen classes",
    "affinity/residual": "mean distance to the table that was trained on",
    "affinity/residual_given": "mean distance to the table as given",
    "affinity/floor_given": "least distance that any latents have to that",
}


def compared(
    scratch: Scratch, data: str, asked: Mapping[str, float], **parameters: object
) -> Iterator[Row]:
    """Run `compare` on a preset, and hold the affinity-VAE's means to what was asked.

    Parameters
    ----------
    asked
        Least values by metric; `METRIC / cnn` is of the ratio to the network on pixels, and
        `silhouette - beta-vae` of the difference.
    """
    run = scratch.entry("compare", data=scratch.data(data), out=scratch.folder, **parameters)
    found: dict[tuple[str, str], list[float]] = {}
    for line in scratch.csv(run, "comparison_seeds.csv"):
        for metric in _NAMES:
            if line.get(metric):
                found.setdefault((metric, line["method"]), []).append(float(line[metric]))
    for (metric, method), values in sorted(found.items(), key=_in_order):
        bound = asked.get(metric) if method == OURS else None
        yield over_seeds(_NAMES[metric], values, column=method, at_least=bound)
    for metric, name in _NAMES.items():
        if (bound := asked.get(f"{metric} / {CNN}")) is not None:
            # The network on pixels has no latents to classify by: its own answers stand beside.
            ratio = fmean(found[metric, OURS]) / fmean(found[metric.replace("knn_", ""), CNN])
            yield Row(f"{name} / the CNN's", ratio, column=OURS, at_least=bound)
    if (bound := asked.get(f"{SILHOUETTE} - {BETA}")) is not None:
        gain = fmean(found[SILHOUETTE, OURS]) - fmean(found[SILHOUETTE, BETA])
        yield Row("silhouette - the beta-VAE's", gain, column=OURS, at_least=bound)
    yield Row("time of all", seconds_of(run), "s", column=OURS)


def _in_order(item: tuple[tuple[str, str], list[float]]) -> int:
    return list(_NAMES).index(item[0][0])
