"""A study of fake trials, in this process or one that can be killed."""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import optuna
from latentlaw.tracking.names import TAG_STUDY
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from latentlaw.tuning.optimise import optimise
from latentlaw.tuning.pool import Pool, cluster_pool, local_pool
from latentlaw.tuning.runs import close_left_runs
from latentlaw.tuning.search import PrunerName, make_sampler
from latentlaw.tuning.space import parse_space
from latentlaw.tuning.study import StudyRef, begin_study, open_study, study_key, trial_states
from latentlaw.tuning.supervise import Task

ROOT = Path(__file__).parents[2]
X = {"x": {"type": "float", "low": 0, "high": 1}}


def refer(folder: Path, **options: Any) -> StudyRef:
    """A study in a folder, with what the tests do not care for."""
    told: dict[str, Any] = {"beat_s": 10, "retries": 1, "pruner": "none", "epochs": 1} | options
    return StudyRef(
        storage=f"sqlite:///{folder}/optuna.db",
        name="fake",
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        **told,
    )


def begun_study(ref: StudyRef, space: dict[str, Any]) -> optuna.Study:
    """Begin a study that maximises what its trials draw as `x`, or go on with it."""
    return begin_study(ref, {"objective": ["separation/silhouette"], "space": space})


def tune(
    folder: Path,
    pool: Pool,
    *,
    trials: int,
    space: dict[str, Any] = X,
    values: dict[str, Any] | None = None,
    retries: int = 1,
    beat_s: int = 10,
    pruner: PrunerName = "none",
    sampler: optuna.samplers.BaseSampler | None = None,
    said: list[str] | None = None,
) -> optuna.Study:
    """Run a study with the objective `separation/silhouette`, as the entry does."""
    ref = refer(folder, retries=retries, beat_s=beat_s, pruner=pruner)
    ranges = parse_space(space, "test")
    with stage_run("tune", {}) as active:
        study = begun_study(ref, space)
        done = len(study.get_trials(deepcopy=False))
        study.sampler = sampler or make_sampler("random", seed=0, done=done, parallel=False)
        mlflow.set_tag(TAG_STUDY, study_key(study))
        task = Task(
            study=ref,
            objectives=("separation/silhouette",),
            module="tests.tuning.fake_trials",
            folder=str(folder),
            path=f"{ROOT}:{ROOT / 'platform'}",
            values={"marks": str(folder), **(values or {})},
            parent=active.info.run_id,
        )
        optimise(
            task,
            pool,
            {name: each.distribution() for name, each in ranges.items()},
            trials=trials,
            say=(said if said is not None else []).append,
        )
        close_left_runs(ref.tracking_uri, study_key(study), task.parent, trial_states(study))
    return open_study(ref)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    configure_tracking()
    where = order.pop("scheduler", None)
    workers = order.pop("workers", 1)
    with local_pool(workers) if where is None else cluster_pool(where) as opened:
        tune(Path(order.pop("folder")), opened, **order)
