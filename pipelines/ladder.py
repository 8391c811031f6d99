"""Cross-validate the ladder of models, from black boxes on pixels to equations on latents."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import mlflow
import pandas as pd
from latentlaw.data.particles.splits import FOLDS, split_particles
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.tasks import task_labels
from latentlaw.discovery.search.engines.selection import EngineName
from latentlaw.errors import ConfigError, DataError
from latentlaw.tracking.names import FRONTIER
from latentlaw.tracking.recording.runs import (
    children_of,
    configure_tracking,
    log_data,
    log_json,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines import discover, train
from pipelines.cli.command import command, quiet
from pipelines.cli.parameters import Entry
from pipelines.discovery.cross_validation import (
    BLACK_BOX,
    EQUATION,
    frontier,
    shown,
    summarise,
)
from pipelines.discovery.parameters import Discover
from pipelines.figures.tables import as_markdown
from pipelines.training.parameters import Train


class Ladder(Entry):
    """Cross-validate networks, sparse networks and equations against a black box, over seeds.

    A latent space is trained for each fold without its cells, and shared by the tasks.
    """

    data: str = Field(description="particle stack, NAME.particles.zarr")
    tasks: str | None = Field(
        None,
        description="classes to tell apart, tasks separated by ;, as in "
        "G1,G2;Early=G1+S,Prophase; none: all classes",
    )
    seeds: int = Field(3, ge=1, le=100, description="seeds, each with five folds of its own")
    epochs: int = Field(60, ge=1, description="passes over the data in training a latent space")
    black_box_epochs: int = Field(
        30, ge=1, description="passes over the data in training a network on pixels"
    )
    latent_dims: int = Field(8, ge=1, le=512, description="dimensions of the latent space")
    beta: float = Field(5e-4, ge=0, description="weight of the KL divergence, which is in nats")
    tc: float = Field(2e-3, ge=0, description="weight of the total correlation, which is in nats")
    engine: EngineName = Field(
        "auto",
        description="engine of the symbolic regression; auto: PySR if Julia is there, else Operon",
    )
    budget_s: float = Field(
        30.0, gt=0, description="seconds for the search for equations, per fold and task"
    )
    max_complexity: int = Field(15, ge=3, le=100, description="most nodes of one expression")
    workers: int = Field(1, ge=1, le=64, description="processes, each with its share of the cores")


class Fold(NamedTuple):
    """One latent space and the tasks on it."""

    ladder: Ladder
    seed: int
    fold: int
    parent: str


def run(parameters: Ladder) -> pd.DataFrame:
    """Cross-validate, log, print and return the table: one row per task and model."""
    p = parameters
    stack = open_stack(p.data)
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    # Refused before anything is trained.
    for task in tasks_of(p):
        if task is not None:
            task_labels(labels, task)
    check_folds(stack, p.seed)
    with stage_run("ladder", p.model_dump()) as active:
        tag_run(family="tc-vae")
        log_data(p.data, stack.digest, stack.table, "cross-validation")
        jobs = [
            Fold(p, seed, fold, active.info.run_id)
            for seed in range(p.seed, p.seed + p.seeds)
            for fold in range(FOLDS)
        ]
        rows: list[dict[str, Any]] = []
        for done in climbed(jobs, p.workers):
            rows += done
            for line in done:
                if line["model"] in (BLACK_BOX, EQUATION):
                    say(
                        f"seed {line['seed']} fold {line['fold']}, {line['task']}: {line['model']}"
                        f" {line['balanced_accuracy']:.3f}, complexity {line['complexity']}"
                    )
        every = pd.DataFrame(rows)
        table = summarise(every)
        mlflow.log_text(every.to_csv(index=False), "ladder_folds.csv")
        mlflow.log_text(table.to_csv(index=False), "ladder.csv")
        for place, task in enumerate(every["task"].unique()):
            part = table[table["task"] == task]
            log_json(f"{place}/{FRONTIER}" if place else FRONTIER, frontier(part))
            print(f"\n{task}\n\n{as_markdown(shown(part).T, 'model')}")
        return table


def check_folds(stack: ParticleStack, seed: int) -> None:
    """Refuse particles that five folds of whole groups cannot be made of.

    Raises
    ------
    DataError
        If there are too few groups, or particles of the largest class.
    """
    try:
        for fold in range(FOLDS):
            split_particles(stack.table, seed=seed, fold=fold)
    except ConfigError as error:
        raise DataError(
            f"data: found particles for fewer than {FOLDS} folds ({error}), expected {FOLDS} "
            "groups (tomograms or source images), and as many particles of a class; give more"
        ) from error


def tasks_of(p: Ladder) -> list[str | None]:
    """Return the tasks; None: all classes."""
    return [None] if p.tasks is None else [task.strip() for task in p.tasks.split(";")]


def climbed(jobs: list[Fold], workers: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of each fold, in their order."""
    if workers == 1:
        yield from map(climb, jobs)
        return
    # The children read it as they start, so that threads do not multiply.
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
    try:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        with ProcessPoolExecutor(workers, context, initializer=start_worker) as pool:
            yield from pool.map(climb, jobs)
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def start_worker() -> None:
    """Set up a child process as `command` does its own."""
    quiet()
    configure_tracking()


def climb(job: Fold) -> list[dict[str, Any]]:
    """Train a latent space without the cells of a fold, and every model of every task on it."""
    p, records = job.ladder, []
    with children_of(job.parent):
        trained = train.run(
            Train(
                data=p.data,
                model="tc-vae",
                epochs=p.epochs,
                latent_dims=p.latent_dims,
                beta=p.beta,
                tc=p.tc,
                seed=job.seed,
                fold=job.fold,
            )
        )
        for task in tasks_of(p):
            found = discover.discovered(
                Discover(
                    model=trained,
                    data=p.data,
                    classes=task,
                    engine=p.engine,
                    budget_s=p.budget_s,
                    max_complexity=p.max_complexity,
                    epochs=p.black_box_epochs,
                    attacked=0,
                    seed=job.seed,
                )
            )
            shared = {"task": task or "all classes", "seed": job.seed, "fold": job.fold}
            records += [shared | record for record in found.records()]
    return records


if __name__ == "__main__":
    configure_tracking()
    command(Ladder, run)
