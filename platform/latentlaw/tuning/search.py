"""Samplers and pruners by name."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

SamplerName = Literal["tpe", "gp", "nsga2", "random"]
PrunerName = Literal["median", "hyperband", "none"]

_SAMPLERS: dict[SamplerName, Callable[[int, bool], BaseSampler]] = {
    # Pretends that running trials do badly, so that two at once are not the same.
    "tpe": lambda seed, parallel: TPESampler(seed=seed, constant_liar=parallel),
    "gp": lambda seed, _: GPSampler(seed=seed),
    "nsga2": lambda seed, _: NSGAIISampler(seed=seed),
    "random": lambda seed, _: RandomSampler(seed=seed),
}


def make_sampler(name: SamplerName, *, seed: int, done: int, parallel: bool) -> BaseSampler:
    """Return a sampler.

    Parameters
    ----------
    name
        `tpe`, `gp`, `nsga2` or `random`.
    seed
        Of what is drawn.
    done
        Trials that the study has already. A study that goes on draws what it would not draw
        again: samplers keep no state, and the same seed would repeat the first trials.
    parallel
        Whether trials run at once.
    """
    state = np.random.SeedSequence([seed, done]).generate_state(1)
    return _SAMPLERS[name](int(state[0]), parallel)


def make_pruner(name: PrunerName, epochs: int) -> BasePruner:
    """Return a pruner of trials of at most `epochs`."""
    if name == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 10))
    if name == "hyperband":
        return HyperbandPruner(min_resource=max(1, epochs // 27), max_resource=epochs)
    return NopPruner()
