"""Sparse networks by RigL against magnitude pruning, on the latents of a trained model.

`python -m tests.results sparse_methods` measures balanced accuracy over seeds, for each method and
budget of weights. A seed takes a fifth of the training particles for early stopping and scores on
the validation particles; test particles are not looked at.
"""

from collections.abc import Iterator

import numpy as np
from latentlaw.data.particles.splits import TRAIN, VAL
from latentlaw.data.particles.stack import open_stack
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.networks.sparse import BUDGETS, METHODS, SparseMethod, fit_sparse
from latentlaw.discovery.scores import balanced_accuracy
from latentlaw.evaluation.embed import embed
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.reading.splits import load_split

from tests.results.records import Row, over_seeds

SEEDS = 5
#: Classes after commas, what they are merged from after plus signs.
TASKS = {
    "interphase, prophase": "G1+S+G2,Prophase",
    "G2, prophase": "G2,Prophase",
    "interphase, prophase, late mitosis": "G1+S+G2,Prophase,Metaphase+Anaphase+Telophase",
    "seven phases": "G1,S,G2,Prophase,Metaphase,Anaphase,Telophase",
}


def measure(model: str, data: str) -> Iterator[Row]:
    """Yield a row a task, method and budget, on the latents of a run's model of a stack."""
    stack = open_stack(data)
    latents = embed(load_logged_bundle(model).model, stack.images).mu
    split = load_split(model, stack)
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    for task, text in TASKS.items():
        place = {name: k for k, merged in enumerate(text.split(",")) for name in merged.split("+")}
        classes = np.array([place.get(label, -1) for label in labels])
        for method in METHODS:
            scores = np.array(
                [
                    _scores(nested(latents, classes, split, text.split(","), seed), method, seed)
                    for seed in range(SEEDS)
                ]
            )
            for budget, of_seeds in zip(BUDGETS, scores.T, strict=True):
                yield over_seeds(
                    f"{task}, {method}",
                    of_seeds.tolist(),
                    column=f"{budget} weights",
                    table="balanced accuracy",
                )


def _scores(data: LatentData, method: SparseMethod, seed: int) -> list[float]:
    models = fit_sparse(data, check_latents(data)[0], method=method, seed=seed)
    return [
        balanced_accuracy(model.network.logits(data.test.latents).argmax(1), data.test.labels)
        for model in models
    ]


def nested(
    latents: np.ndarray, classes: np.ndarray, split: np.ndarray, names: list[str], seed: int
) -> LatentData:
    """Validation particles as test, a fifth of the training particles as validation."""
    known = classes >= 0
    order = np.random.default_rng(seed).permutation(np.flatnonzero(known & (split == TRAIN)))
    fifth = len(order) // 5
    train, val, test = (
        LatentSplit(latents[rows], classes[rows].astype(np.int64))
        for rows in (order[fifth:], order[:fifth], np.flatnonzero(known & (split == VAL)))
    )
    return LatentData(
        train, val, test, tuple(names), tuple(f"z{i}" for i in range(latents.shape[1]))
    )
