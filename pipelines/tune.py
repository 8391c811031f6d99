"""Tune a model in a study of trials, each a process and a run of its own."""

import hashlib
import json
import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mlflow
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import ConfigError, DataError
from latentlaw.models.config import Family
from latentlaw.priors.files import read_affinity
from latentlaw.tracking.names import OBJECTIVES, STUDY, TAG_BEST_TRIAL, TAG_STUDY, TRIALS
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_json,
    log_metrics,
    log_yaml,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tuning.objectives import LAWS, check_comparable, parse_objectives
from latentlaw.tuning.optimise import optimise
from latentlaw.tuning.pool import Pool, cluster_pool, local_pool
from latentlaw.tuning.report import best_trial, figures, objective_records, trial_table
from latentlaw.tuning.runs import close_left_runs
from latentlaw.tuning.search import PrunerName, SamplerName, make_sampler
from latentlaw.tuning.space import Space
from latentlaw.tuning.study import StudyRef, begin_study, study_key, trial_states
from latentlaw.tuning.supervise import Task
from pydantic import Field

from pipelines import discover, evaluate, train
from pipelines.cli.command import command, say_metrics
from pipelines.cli.parameters import Entry, build
from pipelines.discovery.parameters import Discover
from pipelines.evaluate import Evaluate
from pipelines.training.parameters import Train, check
from pipelines.tuning.search_space import load_space
from pipelines.tuning.trial import OF_DISCOVER, parameters

_ROOT = Path(__file__).parents[1]
_SQLITE = "sqlite:///"
_COMMON = ("data", "affinity", "model", "epochs", "seed")
_OF_PRIOR = ("separation/affinity_spearman", "affinity/residual")


class Tune(Entry):
    """Search a model's parameters by trials on validation data; retrain the best, and test it.

    The same command goes on with a study that was interrupted, up to the number of trials.
    """

    data: str = Field(description="particle stack, NAME.particles.zarr")
    affinity: str | None = Field(None, description="affinity CSV; none: no prior")
    model: Family = Field("affinity-vae", description="family of the model")
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the data per trial")
    objective: str = Field(
        "classification/macro_f1",
        description="measures of validation data, comma-separated; pareto: accuracy and "
        "complexity of equations",
    )
    space: str | None = Field(
        None, description="YAML file of ranges by parameter; none: the preset of the model"
    )
    trials: int = Field(
        20, ge=1, le=100_000, description="trials of the study, those before included"
    )
    timeout: float | None = Field(
        None, gt=0, description="seconds after which no trial begins; none: no limit"
    )
    sampler: SamplerName = Field("tpe", description="how trials are drawn")
    pruner: Literal["auto", PrunerName] = Field(
        "auto",
        description="how trials are ended early; auto: median where trials can be pruned, "
        "else none",
    )
    study: str = Field(
        "auto",
        pattern=r"^[\w.-]+$",
        description="name of the study; auto: made of what it searches",
    )
    storage: str = Field(
        "auto",
        description="SQLAlchemy URL of the study; auto: $OPTUNA_STORAGE, or SQLite beside "
        "mlflow.db",
    )
    workers: int = Field(1, ge=1, le=256, description="trials at once on this machine")
    scheduler: str | None = Field(
        None, description="Dask address tcp://…, for trials on its workers; none: here"
    )
    retries: int = Field(
        2,
        ge=0,
        le=100,
        description="times that a trial is run again whose process or machine died",
    )
    heartbeat: int = Field(
        10,
        ge=1,
        le=3600,
        description="time between a trial's signs of life, seconds; it is dead after three",
    )


@dataclass(frozen=True)
class Plan:
    """What is to be done, checked."""

    stack: ParticleStack
    objectives: tuple[str, ...]
    space: Space
    pruner: PrunerName
    common: dict[str, Any]
    settings: dict[str, Any]


def run(parameters: Tune) -> str:
    """Tune, retrain the best, test it, and return the id of the run to register."""
    p = parameters
    plan = planned(p)
    shown = p.model_dump() | {"storage": without_secrets(p.storage)}
    with pool_of(p) as pool, stage_run("tune", shown) as active:
        tag_run(family=p.model)
        log_data(p.data, plan.stack.digest, plan.stack.table, "tuning")
        log_json(STUDY, plan.settings)
        ref = study_ref(p, plan)
        study = begin_study(ref, plan.settings)
        mlflow.set_tag(TAG_STUDY, study_key(study))
        log_json(OBJECTIVES, objective_records(study))
        done = len(study.get_trials(deepcopy=False))
        study.sampler = make_sampler(p.sampler, seed=p.seed, done=done, parallel=pool.slots > 1)
        say(f"study {ref.name}: {done} trials before; {without_secrets(ref.storage)}")
        task = Task(
            study=ref,
            objectives=plan.objectives,
            module="pipelines.tuning.trial",
            folder=os.getcwd(),
            path=os.pathsep.join(map(str, (_ROOT, _ROOT / "platform"))),
            values=plan.common,
            parent=active.info.run_id,
        )
        optimise(
            task,
            pool,
            {name: each.distribution() for name, each in plan.space.items()},
            trials=p.trials,
            timeout_s=p.timeout,
            say=say,
        )
        close_left_runs(ref.tracking_uri, study_key(study), task.parent, trial_states(study))
        mlflow.log_text(trial_table(study).to_csv(index=False), TRIALS)
        log_json(OBJECTIVES, objective_records(study))
        for name, figure in figures(study).items():
            # Not log_figure, whose page fetches its script from the network, or stays empty.
            mlflow.log_text(figure.to_html(include_plotlyjs=True), f"figures/{name}.html")
        best = best_trial(study)
        if best is None:
            errors = trial_table(study)["error"].dropna()
            last = f"; the last says: {errors.iloc[-1]}" if len(errors) else ""
            raise DataError(f"study: found no complete trial of {ref.name!r}{last}")
        log_metrics({f"best/{k}": v for k, v in zip(plan.objectives, best.values, strict=True)})
        mlflow.set_tag(TAG_BEST_TRIAL, str(best.number))
        say(f"best: trial {best.number}, {best.params}")
        return retrained(plan, best.params)


def planned(p: Tune) -> Plan:
    """Check what is asked, before anything runs.

    Raises
    ------
    ConfigError
        If the objective, the space, the pruner or the place of trials cannot be.
    """
    objectives = parse_objectives(p.objective)
    if p.affinity is None and (of_prior := set(objectives) & set(_OF_PRIOR)):
        raise ConfigError(f"affinity: found none, expected a CSV for objective={of_prior.pop()}")
    if p.scheduler is not None and p.workers > 1:
        raise ConfigError(
            f"workers: found {p.workers} and a scheduler, expected one of the two; a cluster runs "
            "a trial per thread of its workers"
        )
    common: dict[str, Any] = {key: getattr(p, key) for key in _COMMON}
    check(build(Train, common))
    laws = bool(set(objectives) & set(LAWS))
    space = load_space(p.space, p.model, laws=laws, common=common)
    check_comparable(objectives, set(space))
    pruner = pruner_of(p, objectives)
    stack = open_stack(p.data)
    affinity = None if p.affinity is None else read_affinity(p.affinity)
    settings = {
        "objective": list(objectives),
        "space": {name: each.model_dump(mode="json") for name, each in space.items()},
        **{key: common[key] for key in ("model", "epochs", "seed")},
        "data": stack.digest,
        "affinity": None if affinity is None else _digest(affinity.values.tolist()),
    }
    return Plan(stack, objectives, space, pruner, common, settings)


def pruner_of(p: Tune, objectives: tuple[str, ...]) -> PrunerName:
    """Return the pruner; only one objective, known after each epoch, can prune trials."""
    possible = len(objectives) == 1 and objectives[0] not in LAWS
    if p.pruner == "auto":
        return "median" if possible else "none"
    if p.pruner != "none" and not possible:
        raise ConfigError(
            f"pruner: found {p.pruner} and objective {','.join(objectives)}, expected one measure "
            "that is known after each epoch; use pruner=none"
        )
    return p.pruner


def study_ref(p: Tune, plan: Plan) -> StudyRef:
    """Return where the study is; without a name of its own it is named by what it searches."""
    tracking = _absolute(mlflow.get_tracking_uri())
    storage = p.storage
    if storage == "auto":
        beside = Path(tracking.removeprefix(_SQLITE)).parent if _SQLITE in tracking else Path()
        storage = os.environ.get("OPTUNA_STORAGE") or f"{_SQLITE}{beside / 'optuna.db'}"
    name = p.study
    if name == "auto":
        stack = re.sub(r"[^\w.-]", "_", Path(p.data).name.split(".")[0])
        name = f"{stack}-{p.model}-{_digest(plan.settings)[:8]}"
    return StudyRef(
        storage=_absolute(storage),
        name=name,
        beat_s=p.heartbeat,
        retries=p.retries,
        pruner=plan.pruner,
        epochs=p.epochs,
        tracking_uri=tracking,
    )


def pool_of(p: Tune) -> AbstractContextManager[Pool]:
    """Return where trials run."""
    return local_pool(p.workers) if p.scheduler is None else cluster_pool(p.scheduler)


def retrained(plan: Plan, drawn: dict[str, Any]) -> str:
    """Train with the best parameters, test that once, and return the run to register."""
    told, of_discover = parameters(plan.common | drawn)
    chosen = {key: value for key, value in drawn.items() if not key.startswith(OF_DISCOVER)}
    log_yaml("best.yaml", plan.common | chosen)
    trained = train.run(told)
    metrics = evaluate.run(Evaluate(model=trained, data=told.data, seed=told.seed))
    log_metrics(metrics)
    if set(plan.objectives) & set(LAWS):
        shared = {key: getattr(told, key) for key in ("data", "epochs", "seed")}
        asked = {"model": trained, **shared, **of_discover}
        log_yaml("best_discover.yaml", asked)
        trained = discover.run(build(Discover, asked))
    say_metrics(metrics, of="test: ")
    say(f"retrained: mlflow run . --env-manager=local -e register -P run={trained}")
    return trained


def _absolute(uri: str) -> str:
    """Return a URI that means the same in a process of another folder."""
    path = uri.removeprefix(_SQLITE)
    return uri if path == uri else f"{_SQLITE}{Path(path).absolute()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    configure_tracking()
    command(Tune, run)
