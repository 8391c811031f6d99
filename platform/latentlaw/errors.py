"""The exceptions that users meet: each names what was found, what was expected, the remedy."""

import difflib
from collections.abc import Iterable


class LatentlawError(Exception):
    """Base of every error that a user can mend; commands print it and exit with `exit_code`."""

    exit_code = 2


class ConfigError(LatentlawError):
    """A parameter or configuration key is unknown, out of range or contradicts another."""


class DataError(LatentlawError):
    """An input file, store or table is missing, damaged or not what it should be."""


class WorkerError(DataError):
    """Workers died on a part of the work; what is done of it is sound, and can be gone on with."""


class CheckpointError(LatentlawError):
    """A checkpoint or model file is damaged, foreign or does not fit its configuration."""


class ResumeError(CheckpointError):
    """A run cannot go on from a checkpoint as it was asked to; the run itself is unharmed."""


class PreemptedError(LatentlawError):
    """A run was told to stop and has kept its state; a scheduler may queue it again."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later


class PrunedError(LatentlawError):
    """A trial of a study was ended early, since others were better by then."""


class EngineError(LatentlawError):
    """A symbolic-regression engine was asked for that cannot run on this machine."""


class TrackingError(LatentlawError):
    """The tracking server does not answer, or does not take what a run records."""


class RegistryError(LatentlawError):
    """A run or model version that was asked for does not exist or cannot be registered."""


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """Return `" (did you mean 'x'?)"` for the known name closest to `name`, or an empty string.

    Examples
    --------
    >>> nearest_hint("epoch", ["epochs", "seed"])
    " (did you mean 'epochs'?)"
    """
    spelled = {each.casefold().strip(): each for each in known}
    close = difflib.get_close_matches(name.casefold().strip(), list(spelled), n=1)
    return f" (did you mean {spelled[close[0]]!r}?)" if close else ""
