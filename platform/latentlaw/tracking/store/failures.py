"""A store of runs that cannot be read or written to: one line of what MLflow raises."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from latentlaw.errors import DataError, TrackingError
from latentlaw.tracking.scrub import without_secrets

UNREACHABLE = (MlflowException, SQLAlchemyError, OSError)

_ELSEWHERE = "start the tracking server, or set MLFLOW_TRACKING_URI to where the runs are"
_LONGEST = 200
_ASIDE = "(raised as a result of"  # SQLAlchemy's, before what the database says
#: By what MLflow or SQLite say where something else must be done than is mostly.
_REMEDIES = {
    "database is locked": "another process writes to it: let it end, then run the command again",
    "out-of-date database schema": (
        "another version of MLflow made it: install that, or keep a copy and upgrade it by "
        "`mlflow db upgrade URI`"
    ),
    "filesystem tracking backend": (
        "set MLFLOW_TRACKING_URI to a database, as sqlite:///mlflow.db; "
        "`mlflow migrate-filestore` takes runs along"
    ),
}


def store_exists(tracking_uri: str) -> bool:
    """Tell whether there is a store to read: opening an SQLite file that is not there makes it."""
    path = tracking_uri.removeprefix("sqlite:///")
    return path == tracking_uri or Path(path.split("?")[0]).is_file()


@contextmanager
def reading(tracking_uri: str) -> Iterator[None]:
    """Say in one line what keeps a store of runs from being read in the block.

    Raises
    ------
    DataError
        Naming the store, why, and what to do.
    """
    try:
        yield
    except UNREACHABLE as error:
        raise DataError(
            f"tracking: the runs at {without_secrets(tracking_uri)} cannot be read "
            f"({reason_of(error)}); {_remedy(error, _ELSEWHERE)}"
        ) from error


@contextmanager
def tracking_errors(tracking_uri: str) -> Iterator[None]:
    """Make one line of what MLflow, or the database below it, raises in the block.

    Raises
    ------
    TrackingError
        When MLflow raises, as it does after its last try.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise TrackingError(
            f"tracking: {without_secrets(tracking_uri)} takes no more of the run: "
            f"{reason_of(error)}; "
            + _remedy(error, "mend that (is a disk full?), then run the command again")
        ) from error


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, or its kind; short, and without secrets."""
    lines = [line for line in str(error).strip().splitlines() if not line.startswith(_ASIDE)]
    text = without_secrets(lines[0] if lines else type(error).__name__)
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rsplit(maxsplit=1)[0] + " …"
    return text.removesuffix(".")


def _remedy(error: Exception, otherwise: str) -> str:
    text = str(error)
    return next((remedy for sign, remedy in _REMEDIES.items() if sign in text), otherwise)
