"""Compare the affinity-VAE with its ablations and a supervised network, over seeds."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from latentlaw.errors import ConfigError
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines import train
from pipelines.cli.command import command, use_threads
from pipelines.cli.parameters import Entry, build
from pipelines.evaluate import evaluated
from pipelines.evaluation.evaluated import Evaluated
from pipelines.evaluation.parameters import Evaluate
from pipelines.evaluation.supervised import CNN, supervised
from pipelines.figures.affinity import prior_heatmaps
from pipelines.figures.tables import as_markdown
from pipelines.presets import PRESETS, Order, Preset, PresetName, Size
from pipelines.training.parameters import Names, Train

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
    test_data: str | None = Field(
        None, description="another stack to test on; none: the preset's, or test groups of `data`"
    )
    models: Names = Field(
        None, description=f"methods, of {', '.join(_ALL)}; none: the preset's, or all"
    )
    seeds: int = Field(3, ge=1, le=100, description="seeds, each with a split of its own")
    epochs: int | None = Field(
        None, ge=1, le=100_000, description="passes over the data; none: the preset's, or 100"
    )
    hold_out: Names = Field(
        None,
        description="classes kept from training, comma-separated; none: train on all, or "
        "the preset's",
    )
    preset: PresetName | None = Field(
        None, description="data and settings that anyone can make again; none: those given"
    )
    size: Size = Field("small", description="size of what a preset simulates or renders")
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
    if unknown := [name for name in p.models or () if name not in _ALL]:
        raise ConfigError(
            f"models: found no method {unknown[0]!r}, expected some of {', '.join(_ALL)}"
        )
    if p.affinity is None and p.preset is None:
        raise ConfigError(
            "affinity: found none, expected a CSV of class similarities; make one with the entry "
            "affinity, or name a preset"
        )
    with stage_run("compare", p.model_dump()):
        use_threads()
        setting = _setting(p)
        rows: list[dict[str, Any]] = []
        affinities: dict[str, dict[str, Any]] = {}
        for method in setting.models or _ALL:
            for seed in range(p.seed, p.seed + p.seeds):
                done = _measure(method, seed, setting)
                rows.append({"method": method, "seed": seed, **done.metrics})
                if done.affinity.get("given"):
                    affinities.setdefault(method, done.affinity)
                say(f"{method}, seed {seed}: " + _line(done.metrics))
        every = pd.DataFrame(rows)
        table = summarise(every)
        mlflow.log_text(every.to_csv(index=False), "comparison_seeds.csv")
        mlflow.log_text(table.to_csv(), "comparison.csv")
        mlflow.log_text(as_markdown(table), "comparison.md")
        if affinities:  # of the first seed
            # Not log_figure, whose page fetches its script from the network, or stays empty.
            page = prior_heatmaps(affinities).to_html(include_plotlyjs=True)
            mlflow.log_text(page, "figures/prior.html")
        print(as_markdown(table))
        return table


def summarise(every: pd.DataFrame) -> pd.DataFrame:
    """Return `mean ± standard deviation over seeds`, one row per method, one column per measure.

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


def _setting(p: Compare) -> Preset:
    """Return what a preset makes, with all that the user asks for otherwise."""
    setting = Preset(p.data, "")
    if p.preset is not None:
        setting = PRESETS[p.preset](Order(Path(p.data), Path(p.out), p.size, p.seed, p.overwrite))
    told = {"epochs": p.epochs, "hold_out": p.hold_out}
    training = setting.training | {k: v for k, v in told.items() if v is not None}
    return Preset(
        setting.data,
        p.affinity or setting.affinity,
        training,
        p.test_data or setting.test_data,
        p.models or setting.models,
    )


def _measure(method: str, seed: int, setting: Preset) -> Evaluated:
    """Train and evaluate a method with a seed; a child run each."""
    values = {"data": setting.data, "affinity": setting.affinity, "seed": seed}
    told = build(Train, values | setting.training | METHODS.get(method, {}))
    if method == CNN:
        return supervised(told, setting.test_data)
    return evaluated(
        Evaluate(
            model=train.run(told),
            data=setting.test_data or setting.data,
            train_data=setting.data if setting.test_data else None,
            affinity=setting.affinity,
            seed=seed,
        )
    )


def _line(metrics: dict[str, float]) -> str:
    shown = ("classification/accuracy", "separation/silhouette", "rotation/latent_cosine")
    return ", ".join(f"{name} {metrics[name]:.3f}" for name in shown if name in metrics)


if __name__ == "__main__":
    configure_tracking()
    command(Compare, run)
