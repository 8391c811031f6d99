"""Sparse networks by RigL against magnitude pruning, on the latents of a trained model.

`python -m tests.benchmarks.sparse_methods --model RUN --data STACK --task G1+S+G2,Prophase` prints
balanced accuracy, mean and standard deviation over seeds, for each method and budget of weights. A
seed takes a fifth of the training particles for early stopping and scores on the validation
particles; test particles are not looked at. `--task` may be repeated: classes after commas, what
they are merged from after plus signs. One thread; a minute or two a task.
"""

import argparse
import time

import numpy as np
from latentlaw.data.particles.splits import TRAIN, VAL
from latentlaw.data.particles.stack import open_stack
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.networks.sparse import BUDGETS, METHODS, fit_sparse
from latentlaw.discovery.scores import balanced_accuracy
from latentlaw.evaluation.embed import embed
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.reading.splits import load_split
from latentlaw.tracking.recording.runs import configure_tracking


def main() -> None:
    """Print a row for each task and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    configure_tracking()
    stack = open_stack(arguments.data)
    latents = embed(load_logged_bundle(arguments.model).model, stack.images).mu
    split = load_split(arguments.model, stack)
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    print(f"budgets {BUDGETS}: balanced accuracy, standard deviation; weights and biases")
    for text in arguments.task:
        place = {name: k for k, merged in enumerate(text.split(",")) for name in merged.split("+")}
        classes = np.array([place.get(label, -1) for label in labels])
        for method in METHODS:
            started = time.monotonic()
            rows = []
            for seed in range(arguments.seeds):
                data = nested(latents, classes, split, text.split(","), seed)
                models = fit_sparse(data, check_latents(data)[0], method=method, seed=seed)
                scores = [
                    balanced_accuracy(
                        model.network.logits(data.test.latents).argmax(1), data.test.labels
                    )
                    for model in models
                ]
                rows.append([scores, [model.complexity for model in models]])
            scored, sizes = np.array(rows).transpose(1, 0, 2)
            print(
                f"{text:40} {method:10} {scored.mean(0).round(3)} {scored.std(0).round(3)} "
                f"{sizes.mean(0).round()} {(time.monotonic() - started) / len(rows):.1f} s a seed",
                flush=True,
            )


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


if __name__ == "__main__":
    main()
