"""Whether a law of one kind of cells holds for another, seen by another microscope.

`python -m tests.results law_transfer`: laws and black boxes are found on Jurkat cells (imaging
flow cytometry) and tried on MDCK nuclei (fluorescence microscopy, another lab), which none saw.
Images are recalibrated once: lengths and intensities are scaled so that the median nucleus in
interphase has the area and total intensity of Jurkat's. Measured are balanced accuracy as it is,
after an affine recalibration of the logit (two numbers, fitted on other groups of cells), and the
area under the ROC curve, which no such recalibration changes.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import torch
from latentlaw.data.collection.collect import collect_particles
from latentlaw.data.particles.splits import TRAIN, VAL
from latentlaw.data.particles.stack import open_stack
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.meanings.image_features import image_features
from latentlaw.serving.log import load_logged_bundle
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupKFold
from torch.nn.functional import interpolate

from pipelines import discover as discovery
from pipelines import train as training
from pipelines.discovery.latents import told_apart
from pipelines.discovery.rungs import train_black_box
from tests.results.records import Row, over_seeds

INTERPHASE = "Interphase"
#: What is told from interphase: in Jurkat cells, and what comes nearest in MDCK nuclei.
TASKS = {"Metaphase": "Metaphase", "Prophase": "Prometaphase"}
_G = ("G1", "S", "G2")


def measure(data: Path, out: Path, seeds: int = 3) -> Iterator[Row]:
    """Find laws on Jurkat cells, try them on MDCK nuclei, and yield rows of each model.

    Parameters
    ----------
    data
        The folder that holds `jurkat` and `cells`.
    out
        A folder for a stack; runs go where MLflow points.
    """
    archive = np.load(data / "jurkat" / "jurkat_dna.npz")
    phases = archive["class_names"].astype("<U16")[archive["labels"]]
    phases[np.isin(phases, _G)] = INTERPHASE
    jurkat = archive["images"].astype(np.float32)
    table = pd.read_csv(data / "cells" / "labels.csv")
    mdck = np.stack([tifffile.imread(data / "cells" / name) for name in table["file"]])
    images = recalibrated(mdck.astype(np.float32), table["label"], jurkat, phases)
    stack = str(out / "jurkat.particles.zarr")
    np.savez(out / "jurkat.npz", images=jurkat, labels=phases)
    collect_particles(out / "jurkat.npz", stack, overwrite=True)
    found: dict[tuple[str, str, str], list[float]] = {}
    for seed, (name, nearest) in product(range(seeds), TASKS.items()):
        trained = training.run(
            training.Train(data=stack, model="tc-vae", epochs=40, beta=5e-4, tc=2e-3, seed=seed)
        )
        chosen = table["label"].isin([INTERPHASE, nearest]).to_numpy()
        is_it = (table["label"][chosen] == nearest).to_numpy()
        groups = table["group"][chosen].to_numpy()
        task = f"{name} found, {nearest} told ({is_it.sum()} of {len(is_it)} nuclei)"
        for model, logit in logits(trained, stack, name, images[chosen], seed).items():
            again = recalibrated_logits(logit, is_it, groups)
            scores = {
                "balanced accuracy": balanced_accuracy_score(is_it, logit > 0),
                "logit recalibrated": balanced_accuracy_score(is_it, again > 0),
                "AUROC": roc_auc_score(is_it, logit),
            }
            for score, value in scores.items():
                found.setdefault((task, model, score), []).append(float(value))
    for (task, model, score), values in found.items():
        yield over_seeds(model, values, column=score, table=task)


def recalibrated(
    images: NDArray[np.float32],
    labels: "pd.Series[str]",
    like: NDArray[np.float32],
    like_labels: NDArray[np.str_],
) -> NDArray[np.float32]:
    """Return images `(n, y, x)` scaled to the size and light of others, by their interphase."""
    wanted = image_features(like[like_labels == INTERPHASE][:, None]).median()
    inter = (labels == INTERPHASE).to_numpy()
    area = image_features(images[inter][:, None]).median()["area"]
    scale = float(np.sqrt(wanted["area"] / area))
    edge = round(images.shape[-1] * scale)
    resized = interpolate(
        torch.from_numpy(images)[:, None], size=edge, mode="bilinear", antialias=True
    )[:, 0].numpy()
    box = like.shape[-1]
    before = max(0, box - edge) // 2
    widths = (before, max(0, box - edge) - before)
    padded = np.pad(resized, ((0, 0), widths, widths), mode="edge")
    start = padded.shape[-1] // 2 - box // 2
    fitted = padded[:, start : start + box, start : start + box]
    light = image_features(fitted[inter][:, None]).median()["total intensity"]
    print(f"lengths x {scale:.3f}, intensities x {wanted['total intensity'] / light:.1f}")
    return np.ascontiguousarray(fitted * np.float32(wanted["total intensity"] / light))


def logits(
    trained: str, stack: str, name: str, images: NDArray[np.float32], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Log-odds of a phase against interphase `(n,)`, by model, found on Jurkat cells."""
    told = discovery.Discover(
        model=trained,
        data=stack,
        classes=f"{INTERPHASE},{name}",
        budget_s=60,
        max_complexity=15,
        epochs=20,
        attacked=0,
        seed=seed,
    )
    found = discovery.discovered(told)
    bundle = load_logged_bundle(found.run_id)
    print(f"{name}: {found.discovery.equations[-1].expression}")
    mu = embed(bundle.model, images[:, None]).mu
    model = found.discovery.model
    result = {"equation": _odds(model.logits(mu), model.class_names.index(name))}
    data, _, _ = told_apart(told, load_logged_bundle(trained), open_stack(stack))
    assert {TRAIN, VAL} <= set(data.split)
    for kind in ("cnn", "resnet"):
        black_box = train_black_box(kind, data, bundle.model, epochs=told.epochs, seed=told.seed)
        with torch.inference_mode():
            seen = bundle.model.config.normalisation(torch.from_numpy(images[:, None]))
            result[kind] = _odds(black_box(seen).double().numpy(), data.class_names.index(name))
    return result


def recalibrated_logits(
    logit: NDArray[np.float64], is_it: NDArray[np.bool_], groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return `a f + b`, with a and b from the groups of the other half."""
    again = np.empty_like(logit)
    for fitted, rest in GroupKFold(2).split(logit, is_it, groups):
        platt = LogisticRegression(class_weight="balanced").fit(logit[fitted, None], is_it[fitted])
        again[rest] = platt.decision_function(logit[rest, None])
    return again


def _odds(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    odds: NDArray[np.float64] = values[:, k] - values[:, 1 - k]
    return odds
