"""How to choose between equations on small data: three rules on the same models.

`python -m tests.benchmarks.choice_rules [SPLITS [PROBLEM …]]` draws small training (3/4) and
validation (1/4) sets at random, lets `discover` find models, and chooses one of them

* by validation: the smallest whose log-loss is within three standard errors of the lowest, and
  whose accuracy is within 0.01 of the highest there;
* by cross-validation: constants refitted a fold, the smallest within one standard error;
* by the same with training and validation particles counting half each: what `discover` does.

Test log-loss, accuracy and nodes of all classes' expressions are means over the splits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from latentlaw.discovery.discover import discover_laws
from latentlaw.discovery.latents import LatentData, LatentSplit
from latentlaw.discovery.scores import accuracy, head_logits, log_losses
from latentlaw.discovery.search.choice import Assembled, choose, draw_folds, out_of_fold_values
from latentlaw.discovery.search.refit import Sample, head_values, refit
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from tests.benchmarks.planted_laws import LAWS, NAMES, plant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from latentlaw.discovery.equations.model import EquationModel
    from numpy.typing import NDArray

BUDGET_S = 4.0


def digits(classes: Sequence[int], rows: int, seed: int) -> LatentData:
    """Return handwritten digits as eight principal components of the training images."""
    images, labels = load_digits(return_X_y=True)
    kept = np.flatnonzero(np.isin(labels, classes))
    kept = np.random.default_rng(seed).permutation(kept)
    train = images[kept[: 3 * rows // 4]]
    z = PCA(len(NAMES), random_state=0).fit(train).transform(images[kept]).astype(np.float32) / 10
    return cut(z, np.searchsorted(classes, labels[kept]), rows, tuple(map(str, classes)))


def planted(law: int, rows: int, seed: int) -> LatentData:
    """Return few particles of a planted law, 5 % of labels flipped."""
    data = plant(LAWS[law].law, seed, 3000)
    parts = (data.train, data.val, data.test)
    z, labels = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("latents", "labels")
    )
    return cut(z, labels, rows, data.class_names)


def cut(
    z: NDArray[np.float32], labels: NDArray[np.int64], rows: int, classes: tuple[str, ...]
) -> LatentData:
    """Return the first `rows` as training and validation, the rest as test."""
    slices = (slice(3 * rows // 4), slice(3 * rows // 4, rows), slice(rows, None))
    train, val, test = (LatentSplit(z[s], labels[s]) for s in slices)
    return LatentData(train, val, test, classes, NAMES)


PROBLEMS: dict[str, Callable[[int], LatentData]] = {
    "digits 3 8, 120 images": lambda seed: digits((3, 8), 120, seed),
    "digits 3 8 9, 200 images": lambda seed: digits((3, 8, 9), 200, seed),
    "linear law, 120 particles": lambda seed: planted(0, 120, seed),
    "product law, 120 particles": lambda seed: planted(1, 120, seed),
    "product law, 300 particles": lambda seed: planted(1, 300, seed),
}


@dataclass(frozen=True)
class Judged:
    """A model with what each rule looks at."""

    model: EquationModel
    val_losses: NDArray[np.float64]
    val_accuracy: float
    cross: Assembled


def judge(model: EquationModel, data: LatentData, seed: int) -> Judged:
    """Return the model's losses on validation and by cross-validation."""
    train, val = (
        Sample(s.latents.astype(np.float64), s.labels, NAMES) for s in (data.train, data.val)
    )
    both = replace(
        train,
        latents=np.concatenate([train.latents, val.latents]),
        labels=np.concatenate([train.labels, val.labels]),
    ).balanced()
    values = head_values(refit(model.heads, train.balanced()), val)
    folds = draw_folds(both.labels, seed=seed)
    return Judged(
        model,
        val.losses(values),
        accuracy(head_logits(values).argmax(1), val.labels),
        Assembled(
            model.heads,
            model.complexity,
            both.losses(out_of_fold_values(model.heads, both, folds)),
        ),
    )


def by_validation(models: Sequence[Judged]) -> EquationModel:
    """Choose by the validation split alone."""
    best = min(models, key=lambda m: m.val_losses.mean())
    top = max(m.val_accuracy for m in models)
    for m in models:
        worse = m.val_losses - best.val_losses
        if worse.mean() <= 3 * worse.std(ddof=1) / len(worse) ** 0.5 and (
            m.val_accuracy >= top - 0.01
        ):
            return m.model
    return best.model


def main(splits: int = 10, *names: str) -> None:
    """Print a row a problem and rule."""
    print("| problem | rule | test log-loss | test accuracy | nodes |\n|---|---|---|---|---|")
    for name, problem in PROBLEMS.items():
        if names and name not in names:
            continue
        scores: dict[str, list[tuple[float, float, int]]] = {}
        for seed in range(splits):
            data = problem(seed)
            found = discover_laws(data, engine="operon", budget_s=BUDGET_S, seed=seed, threads=1)
            models = [judge(model, data, seed) for model in found.equation_models]
            cross = choose([m.cross for m in models])
            chosen = {
                "validation": by_validation(models),
                "cross-validation": next(m.model for m in models if m.cross is cross),
                "cross-validation, half each": found.model,
            }
            for rule, model in chosen.items():
                logits = model.logits(data.test.latents)
                scores.setdefault(rule, []).append(
                    (
                        float(log_losses(logits, data.test.labels).mean()),
                        accuracy(logits.argmax(1), data.test.labels),
                        model.complexity,
                    )
                )
        for rule, rows in scores.items():
            loss, hits, nodes = np.mean(rows, axis=0)
            print(f"| {name} | {rule} | {loss:.3f} | {hits:.3f} | {nodes:.1f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, *sys.argv[2:])
