"""What every entry point shares: typed parameters, one-line errors, progress."""

import errno
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from latentlaw.errors import ConfigError, LatentlawError, nearest_hint
from latentlaw.tracking.say import say as say
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm import tqdm

from pipelines._config import read_config
from pipelines._environment import check_environment

P = TypeVar("P", bound="Entry")
_PLAIN_SECONDS = 5.0
#: A disk, quota or limit is full.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Entry(BaseModel):
    """Parameters of an entry point: the one source of MLproject, help text and checks."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    seed: int = 0


def command(entry: type[P], run: Callable[[P], Any], argv: list[str] | None = None) -> NoReturn:
    """Parse `--key value` pairs, run, and exit: 0, or 2 with one line that says what to mend.

    What `run` returns as text, the id of its run, is printed. All else is said on stderr, so that
    a shell can keep the id: `RUN=$(mlflow run …)`.
    """
    quiet()
    arguments = sys.argv[1:] if argv is None else argv
    sys.argv[0] = os.path.relpath(sys.argv[0])  # MLflow records it as the source of runs
    if {"-h", "--help"} & set(arguments):
        print(usage(entry))
        sys.exit(0)
    try:
        check_environment(os.environ)
        made = run(parse(entry, arguments))
    except LatentlawError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f"{error.filename}: " if error.filename else ""
        say(
            f"error: {where}{error.strerror}; make room, then run the same command again: what is "
            "whole is kept"
        )
        sys.exit(LatentlawError.exit_code)
    if isinstance(made, str):
        print(made)
    sys.exit(0)


def parse(entry: type[P], arguments: list[str]) -> P:
    """Turn `--key value …` into checked parameters.

    `none` stands for nothing, except where it is one of the words that a parameter takes.

    `--config FILE` takes parameters from a file, such as the `config.yaml` of a run; those beside
    it win.

    Raises
    ------
    ConfigError
        Naming the parameter, what was found and what was expected.
    """
    values: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if len(arguments) % 2:
        raise ConfigError(f"expected pairs of --key value, found {' '.join(arguments)!r}")
    for flag, value in zip(arguments[::2], arguments[1::2], strict=True):
        key = flag.removeprefix("--").replace("-", "_")
        if key == "config":
            config = read_config(Path(value))
            continue
        if key in values:
            raise ConfigError(f"parameter {key!r} is given twice, expected once; leave one out")
        values[key] = value
    values = config | values
    for key, value in values.items():
        if isinstance(value, str):
            values[key] = os.path.expanduser(value)  # runs record the home as ~
        if key not in entry.model_fields:
            hint = (
                nearest_hint(key, entry.model_fields)
                or f"; known: {', '.join(entry.model_fields)}"
            )
            raise ConfigError(f"unknown parameter {key!r}{hint}")
        if value == "none" and "none" not in words_of(entry.model_fields[key].annotation):
            values[key] = None
    return build(entry, values)


def build(entry: type[P], values: dict[str, Any]) -> P:
    """Check values against the entry's parameters.

    Raises
    ------
    ConfigError
        For the first value that does not fit.
    """
    try:
        return entry(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        found = "" if first["type"] == "missing" else f", found {first['input']!r}"
        field = entry.model_fields.get(str(first["loc"][0])) if found else None
        if field is not None:
            words = sorted(map(str, words_of(field.annotation)))
            found += nearest_hint(str(first["input"]), words)
        raise ConfigError(f"parameter {key!r}: {first['msg']}{found}") from error


def usage(entry: type[Entry]) -> str:
    """Help text: the entry's purpose and a line a parameter."""
    lines = [(entry.__doc__ or "").strip(), ""]
    lines.append(f"  --{'config':<14} file of parameters, as a run's config.yaml (default none)")
    for name, field in entry.model_fields.items():
        default = "required" if field.is_required() else f"default {text_of(field.default)}"
        lines.append(f"  --{name:<14} {field.description or ''} ({default})")
    return "\n".join(lines)


def text_of(value: Any) -> str:
    """Write a default the way it is typed on a command line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def split_commas(value: Any) -> Any:
    """Split `64,192,192` or `a,b` into parts, for tuple-valued parameters."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def for_workers(path: str, scheduler: str) -> str:
    """Return a path as workers of a cluster, in folders of their own, read it too."""
    far = "://" in scheduler and "://" not in path
    return str(Path(path).absolute()) if far else path


def say_metrics(metrics: Mapping[str, float], *, of: str = "") -> None:
    """Say a line a metric, in the order of their names."""
    for name, value in sorted(metrics.items()):
        say(f"{of}{name} {value:.3f}")


class ProgressBar:
    """A bar for each kind of work on a terminal; elsewhere a plain line every few seconds."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._what = ""
        self._printed = 0.0
        self._start = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show `done` of `total` units of `what`."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start, self._printed = what, now, now
            if sys.stderr.isatty():
                self._bar = tqdm(total=total, desc=what, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if done >= total:
                self._bar.close()
                self._bar = None
        elif done >= total or now - self._printed >= _PLAIN_SECONDS:
            self._printed = now
            seconds = now - self._start
            print(f"{what}: {done}/{total} in {seconds:.0f} s", file=sys.stderr, flush=True)


def use_threads() -> int:
    """Return the number of threads that one process may use, and hold torch to it."""
    import torch

    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    torch.set_num_threads(threads)
    return threads


def words_of(annotation: Any) -> tuple[Any, ...]:
    """Return the words of a `Literal`, however deep it lies in an annotation, in their order."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return parts
    return tuple(dict.fromkeys(word for part in parts for word in words_of(part)))


def quiet() -> None:
    """Silence what others say of themselves and users cannot act on."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    # It raises what it writes there, traceback and all.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated")
    warnings.filterwarnings("ignore", module="sqlalchemy")
    warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator computes")  # costs are given
