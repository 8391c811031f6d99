"""Tune a model in a study of trials, each a process and a run of its own."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import mlflow
from latentlaw.errors import DataError
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
from latentlaw.tuning.objectives import LAWS
from latentlaw.tuning.optimise import optimise
from latentlaw.tuning.pool import Pool, cluster_pool, local_pool
from latentlaw.tuning.report import best_trial, figures, objective_records, trial_table
from latentlaw.tuning.runs import close_left_runs
from latentlaw.tuning.search import make_sampler
from latentlaw.tuning.study import StudyRef, begin_study, study_key, trial_states
from latentlaw.tuning.supervise import Task

from pipelines import discover, evaluate, train
from pipelines.cli.command import command, say_metrics
from pipelines.cli.parameters import build
from pipelines.discovery.parameters import Discover
from pipelines.evaluation.parameters import Evaluate
from pipelines.tuning.parameters import Tune as Tune
from pipelines.tuning.plan import Plan, planned, study_ref
from pipelines.tuning.trial import OF_DISCOVER, parameters

_ROOT = Path(__file__).parents[1]


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
        search(p, plan, ref, study, pool, active.info.run_id)
        log_study(study)
        best = best_trial(study)
        if best is None:
            errors = trial_table(study)["error"].dropna()
            last = f"; the last says: {errors.iloc[-1]}" if len(errors) else ""
            raise DataError(f"study: found no complete trial of {ref.name!r}{last}")
        log_metrics({f"best/{k}": v for k, v in zip(plan.objectives, best.values, strict=True)})
        mlflow.set_tag(TAG_BEST_TRIAL, str(best.number))
        say(f"best: trial {best.number}, {best.params}")
        return retrained(plan, best.params)


def search(p: Tune, plan: Plan, ref: StudyRef, study: Any, pool: Pool, parent: str) -> None:
    """Run the trials that the study lacks, and end the runs that dead ones left open."""
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
        parent=parent,
    )
    ranges = {name: each.distribution() for name, each in plan.space.items()}
    optimise(task, pool, ranges, trials=p.trials, timeout_s=p.timeout, say=say)
    close_left_runs(ref.tracking_uri, study_key(study), parent, trial_states(study))


def log_study(study: Any) -> None:
    """Log the table of trials, what was aimed at, and figures of both."""
    mlflow.log_text(trial_table(study).to_csv(index=False), TRIALS)
    log_json(OBJECTIVES, objective_records(study))
    for name, figure in figures(study).items():
        # Not log_figure, whose page fetches its script from the network, or stays empty.
        mlflow.log_text(figure.to_html(include_plotlyjs=True), f"figures/{name}.html")


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


if __name__ == "__main__":
    configure_tracking()
    command(Tune, run)
