"""Compare the affinity-VAE with its ablations and a supervised network, over seeds."""

from typing import Annotated, Any, Literal

import mlflow
import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles import open_stack
from latentlaw.data.splits import TEST, TRAIN, VAL
from latentlaw.errors import ConfigError
from latentlaw.evaluation.classification import classification_scores
from latentlaw.models.classifier import Classifier
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run, tag_run
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import fit_classifier, predict_logits
from latentlaw.training.devices import pick_device
from latentlaw.training.prepare import prepare
from latentlaw.training.seeds import seeded_initialisation
from pydantic import BeforeValidator, Field

from pipelines import evaluate
from pipelines import train as training
from pipelines._entry import Entry, build, command, say, split_commas, use_threads
from pipelines._presets import PRESETS, Preset
from pipelines.train import Names, Train

CNN = "cnn"
#: What each method changes of the affinity-VAE's training; the supervised network has no entry.
METHODS: dict[str, dict[str, Any]] = {
    "affinity-vae": {},
    "raw-prior": {"affinity_projection": "none"},
    "no-pose": {"pose_dims": 0},
    "no-prior": {"affinity": None, "gamma": 0.0},
    "beta-vae": {"affinity": None, "model": "beta-vae"},
    "autoencoder": {"affinity": None, "model": "autoencoder"},
}
_ALL = (*METHODS, CNN)


class Compare(Entry):
    """Train and evaluate methods on the same data over seeds: one table, mean and spread."""

    data: str = Field(description="particle stack; with a preset, the folder that it is made from")
    affinity: str | None = Field(None, description="affinity CSV; none: the preset's")
    models: Annotated[tuple[str, ...], BeforeValidator(split_commas)] = Field(
        _ALL, description=f"methods, of {', '.join(_ALL)}"
    )
    seeds: int = Field(3, ge=1, le=100, description="seeds, each with a split of its own")
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the data")
    hold_out: Names = Field(None, description="classes kept from training, comma-separated")
    preset: Literal["alphanumeric"] | None = Field(
        None, description="none, or alphanumeric: the reference's 90 images, 5 and x unseen"
    )
    out: str = Field("work", description="folder for the data that a preset makes")
    overwrite: bool = Field(False, description="replace what a preset made in `out` before")


def run(parameters: Compare) -> pd.DataFrame:
    """Compare, log, print and return the table: a row a method, `mean ± spread` a measure.

    Raises
    ------
    ConfigError
        If a method is not known, or there is no affinity.
    """
    p = parameters
    if unknown := [name for name in p.models if name not in _ALL]:
        raise ConfigError(f"models: no method {unknown[0]!r}; known: {', '.join(_ALL)}")
    setting = _setting(p)
    with stage_run("compare", p.model_dump()):
        use_threads()
        rows = []
        for method in p.models:
            for seed in range(p.seed, p.seed + p.seeds):
                metrics = _measure(method, seed, p, setting)
                rows.append({"method": method, "seed": seed, **metrics})
                say(f"{method}, seed {seed}: " + _line(metrics))
        every = pd.DataFrame(rows)
        table = summarise(every)
        mlflow.log_text(every.to_csv(index=False), "comparison_seeds.csv")
        mlflow.log_text(table.to_csv(), "comparison.csv")
        mlflow.log_text(as_markdown(table), "comparison.md")
        print(as_markdown(table))
        return table


def summarise(every: pd.DataFrame) -> pd.DataFrame:
    """Return `mean ± standard deviation over seeds`, a row a method, a column a measure.

    Empty where a method has no such measure; the mean alone where one seed has it.
    """
    groups = every.drop(columns="seed").groupby("method", sort=False)
    mean, spread = groups.mean(), groups.std(ddof=1)
    cells = {
        name: [
            "" if np.isnan(m) else f"{m:.3f}" if np.isnan(s) else f"{m:.3f} ± {s:.3f}"
            for m, s in zip(mean[name], spread[name], strict=True)
        ]
        for name in mean
    }
    return pd.DataFrame(cells, index=mean.index)


def as_markdown(table: pd.DataFrame) -> str:
    """Write measures as the rows of a Markdown table, methods as its columns."""
    head = ["measure", *map(str, table.index)]
    lines = [head, ["---"] * len(head)]
    lines += [[str(name), *table[name].tolist()] for name in table]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _setting(p: Compare) -> Preset:
    """Return the data, the prior and what else training is told."""
    setting = Preset(p.data, p.affinity or "", {})
    if p.preset in PRESETS:
        setting = PRESETS[p.preset](p.data, p.out, overwrite=p.overwrite)
    affinity = p.affinity or setting.affinity
    if not affinity:
        raise ConfigError("affinity: the affinity-VAE needs a CSV of class similarities")
    own = {} if p.hold_out is None else {"hold_out": p.hold_out}
    return Preset(setting.data, affinity, setting.training | own)


def _measure(method: str, seed: int, p: Compare, setting: Preset) -> dict[str, float]:
    """Train and evaluate a method with a seed; a child run each."""
    values = {"data": setting.data, "affinity": setting.affinity, "seed": seed}
    values |= {"epochs": p.epochs, **setting.training, **METHODS.get(method, {})}
    told = build(Train, values)
    if method == CNN:
        return supervised(told)
    model = training.run(told)
    entry = evaluate.Evaluate(model=model, data=setting.data, affinity=setting.affinity, seed=seed)
    return evaluate.run(entry)


def supervised(p: Train) -> dict[str, float]:
    """Train a classifier on pixels with the same encoder body, split and augmentation."""
    with stage_run("train", p.model_dump()):
        tag_run(family=CNN)
        stack = open_stack(p.data)
        data = prepare(stack, seed=p.seed, hold_out=p.hold_out or ())
        config = training.model_config(p, data)
        device = pick_device(p.device)
        with seeded_initialisation(p.seed):
            model = Classifier(config, len(data.class_names)).to(device)
        fit_classifier(
            model,
            data.particles(data.rows(TRAIN, labelled=True)),
            data.particles(data.rows(VAL, labelled=True)),
            training.train_config(p, data.images.shape[1:]),
            normalisation=config.normalisation,
        )
        rows = data.rows(TEST)
        rows = rows[np.isin(data.labels[rows], data.class_names)]
        batches = held_out_batches(data.particles(rows), config.normalisation, device)
        places = torch.argmax(predict_logits(model, batches), dim=1).cpu().numpy()
        scores = classification_scores(data.labels[rows], np.array(data.class_names)[places])
        log_metrics(scores)
        return scores


def _line(metrics: dict[str, float]) -> str:
    shown = ("classification/accuracy", "separation/silhouette", "rotation/latent_cosine")
    return ", ".join(f"{name} {metrics[name]:.3f}" for name in shown if name in metrics)


if __name__ == "__main__":
    configure_tracking()
    command(Compare, run)
