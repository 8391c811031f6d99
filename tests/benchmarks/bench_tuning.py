"""What a study costs beside its trials, and what a second worker brings."""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from latentlaw.tracking.recording.runs import configure_tracking
from latentlaw.tuning.pool import local_pool
from latentlaw.tuning.search import make_sampler
from latentlaw.tuning.space import parse_space

from tests.benchmarks.ratio import Ratio
from tests.tuning.fake_studies import begun_study, refer, tune

BEFORE, MEASURED = 500, 20
TRIAL_S, BUSY_S = 30.0, 3.0
SPACE = {
    "x": {"type": "float", "low": 0, "high": 1},
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "beta": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
    "latent_dims": {"type": "int", "low": 4, "high": 32, "log": True},
    "channels": {"type": "categorical", "choices": [8, 16, 32]},
}


def measure() -> list[Ratio]:
    """Return the share of a trial that its study costs, and the speed-up by a second worker."""
    with tempfile.TemporaryDirectory(prefix="latentlaw-tuning-") as scratch:
        return [_overhead(Path(scratch)), _second_worker(Path(scratch))]


def _track(folder: Path) -> None:
    """Track into the store that the studies of `folder` name."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    configure_tracking()


def _overhead(folder: Path) -> Ratio:
    """Time trials that do nothing, in a study of 500, from asking for one to its run's end."""
    _track(folder)
    study = begun_study(refer(folder), SPACE)
    ranges = {name: r.distribution() for name, r in parse_space(SPACE, "benchmark").items()}
    sampler = make_sampler("tpe", seed=0, done=0, parallel=False)
    draw = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    generator = np.random.default_rng(0)
    for _ in range(BEFORE):
        trial = draw.ask(ranges)
        study.add_trial(
            optuna.create_trial(
                params=trial.params,
                distributions=ranges,
                value=float(generator.normal()),
            )
        )
    with local_pool(1) as pool:
        tune(folder, pool, trials=BEFORE + 1, space=SPACE, sampler=sampler)  # starts the process
        start = time.perf_counter()
        tune(folder, pool, trials=BEFORE + 1 + MEASURED, space=SPACE, sampler=sampler)
        seconds = (time.perf_counter() - start) / MEASURED
    return Ratio(
        f"cost of a trial in a study of {BEFORE}",
        f"a trial of {TRIAL_S:g} s",
        100 * seconds / TRIAL_S,
        100.0,
        "%",
        1.0,
        at_most=True,
    )


def _second_worker(folder: Path) -> Ratio:
    rates = []
    for workers in (2, 1):
        place = folder / str(workers)
        place.mkdir()
        _track(place)
        busy = {"act": "busy", "seconds": BUSY_S}
        with local_pool(workers) as pool:
            tune(place, pool, trials=2, values={"act": "sleep", "seconds": 0.5})  # starts them
            start = time.perf_counter()
            tune(place, pool, trials=10, values=busy)
            rates.append(8 / (time.perf_counter() - start))
    return Ratio(
        f"two workers, trials of {BUSY_S:g} s on one thread",
        "one worker",
        rates[0],
        rates[1],
        "trials/s",
        1.7,
    )
