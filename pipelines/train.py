"""Train a model on a particle stack."""

from typing import Any

import pandas as pd
from latentlaw.data.particles.splits import TEST
from latentlaw.serving.log import example_images, log_bundle
from latentlaw.tracking.names import SPLIT
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_metrics,
    log_table,
    log_yaml,
    stage_run,
)
from latentlaw.tracking.say import say
from latentlaw.training.devices import pick_device
from latentlaw.training.identity import identify
from latentlaw.training.keeping import Keeper, stop_signals
from latentlaw.training.ranks import ALONE, Ranks, joined

from pipelines.cli.command import command, use_threads
from pipelines.training.fitting import fit_model, log_set_up, set_up, train_bundle
from pipelines.training.keeping import find_checkpoint, keeping
from pipelines.training.parameters import Train as Train
from pipelines.training.parameters import check


def start(parameters: Train) -> str | None:
    """Train, alone or with the processes that `torchrun` or `srun` started beside this one.

    The first process alone has a run, and returns its id.
    """
    check(parameters)
    with joined(pick_device(parameters.device)) as ranks:
        if ranks.rank == 0:
            return run(parameters, ranks)
        follow(parameters, ranks)
        return None


def follow(p: Train, ranks: Ranks) -> None:
    """Train along; the first process alone makes the run, keeps it and logs the model."""
    use_threads()
    made = set_up(p)
    with stop_signals() as stop:
        fit_model(made, None, Keeper(None, stop=stop), ranks)


def run(parameters: Train, ranks: Ranks = ALONE) -> str:
    """Train, log the model, and return the run's id; `ranks` are the processes that follow."""
    p = parameters
    check(p)
    found = find_checkpoint(p)
    run_id = None if found is None else found.record.run_id
    with stage_run("train", p.model_dump(), run_id=run_id) as active:
        use_threads()
        made = set_up(p)
        log_set_up(p, made)
        stack, data, device = made.stack, made.data, next(made.model.parameters()).device
        identity = identify(
            settings={
                "model": made.model.config.model_dump(),
                "train": made.training.model_dump(),
                "data": {
                    "hold_out": p.hold_out or (),
                    "classes": data.class_names,
                    "fold": p.fold,
                },
            },
            data_digest=stack.digest,
            affinity=made.matrix,
            device=device.type,
        )
        beside = f" in {ranks.size} processes" if ranks.size > 1 else ""
        say(f"trains on {device.type} in {made.training.precision}{beside}")
        with (
            keeping(p, active, found, identity) as keeper,
            EpochLogger(active.info.run_id) as log,
        ):
            bundle, best = train_bundle(p, made, log, keeper, ranks)
        log_metrics({"train/best_epoch": best})
        split = pd.DataFrame({"particle_id": stack.table["particle_id"], "split": data.split})
        log_table(SPLIT, split)
        log_bundle(bundle, example_images(data.particles(data.rows(TEST))))
        log_yaml("config.yaml", plain(p.begun()))
        return str(active.info.run_id)


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as YAML has them, without tuples."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


if __name__ == "__main__":
    configure_tracking()
    command(Train, start)
