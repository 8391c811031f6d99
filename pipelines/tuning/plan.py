"""What a study is to do: checked before anything runs, named, and put in its place."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.errors import ConfigError
from latentlaw.priors.files import read_affinity
from latentlaw.tuning.objectives import LAWS, check_comparable, parse_objectives
from latentlaw.tuning.search import PrunerName
from latentlaw.tuning.space import Space
from latentlaw.tuning.study import StudyRef

from pipelines.cli.parameters import build
from pipelines.training.parameters import Train, check
from pipelines.tuning.parameters import Tune
from pipelines.tuning.search_space import load_space

_SQLITE = "sqlite:///"
_COMMON = ("data", "affinity", "model", "epochs", "seed")
_OF_PRIOR = ("separation/affinity_spearman", "affinity/residual")


@dataclass(frozen=True)
class Plan:
    """What is to be done, checked."""

    stack: ParticleStack
    objectives: tuple[str, ...]
    space: Space
    pruner: PrunerName
    common: dict[str, Any]
    settings: dict[str, Any]


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


def _absolute(uri: str) -> str:
    """Return a URI that means the same in a process of another folder."""
    path = uri.removeprefix(_SQLITE)
    return uri if path == uri else f"{_SQLITE}{Path(path).absolute()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
