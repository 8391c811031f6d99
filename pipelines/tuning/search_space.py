"""The search space of `tune`: a preset or a file, each range within its parameter's limits."""

from pathlib import Path
from typing import Any

from latentlaw.errors import ConfigError, LatentlawError, nearest_hint
from latentlaw.tuning.space import Space, parse_space

from pipelines.cli.config import read_config
from pipelines.cli.parameters import build
from pipelines.discovery.parameters import Discover
from pipelines.training.keeping import Keeping
from pipelines.training.parameters import Train, check
from pipelines.tuning.trial import OF_DISCOVER

_FOLDER = Path(__file__).parent / "spaces"
_RANGE_IN_LIST = 3
#: What trials have in common: data and its split, how long they train, and where.
_SHARED = {"data", "affinity", "fold", "hold_out", "epochs", "seed", *Keeping.model_fields}
OF_TRAIN = tuple(name for name in Train.model_fields if name not in _SHARED)
#: What the search for equations leaves to choose.
_LAWS = tuple(OF_DISCOVER + name for name in ("engine", "budget_s", "max_complexity", "targets"))


def load_space(path: str | None, family: str, *, laws: bool, common: dict[str, Any]) -> Space:
    """Read the space, or take the preset of a model family, and check it.

    Parameters
    ----------
    laws
        Whether equations are searched for.
    common
        Parameters of `train` that all trials share.

    Raises
    ------
    ConfigError
        If a parameter is not known or not to be searched, or its range leaves what it may be.
    """
    if path is not None:
        source, content = path, _read(Path(path))
    else:
        source, content = f"preset of {family}", _read(_FOLDER / f"{family}.yaml")
        content |= _read(_FOLDER / "discover.yaml") if laws else {}
    known = (*OF_TRAIN, *(_LAWS if laws else ()))
    for key in content:
        if key not in known:
            raise ConfigError(f"space: {source}: {_unknown(key, known)}")
    space = parse_space(content, source)
    for key, choices in space.items():
        for value in choices.ends():
            try:
                _check_value(key, value, common)
            except LatentlawError as error:
                raise ConfigError(f"space: {source}: {key} {value}: {error}") from error
    return space


def _read(path: Path) -> dict[str, Any]:
    return read_config(path, name="space", deepest=_RANGE_IN_LIST)


def _unknown(key: str, known: tuple[str, ...]) -> str:
    if key in Train.model_fields:
        return f"{key} is the same in all trials; take it out"
    if key in _LAWS:
        return f"{key} is of equations; take it out, or use an objective such as pareto"
    hint = nearest_hint(key, known) or f"; known: {', '.join(known)}"
    return f"no parameter {key!r} to search{hint}"


def _check_value(key: str, value: Any, common: dict[str, Any]) -> None:
    if key.startswith(OF_DISCOVER):
        build(Discover, {"model": "", "data": "", key.removeprefix(OF_DISCOVER): value})
    else:
        check(build(Train, common | {key: value}))
