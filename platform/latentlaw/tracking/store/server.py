"""Whether a tracking server answers, and how long its clients wait for one that does not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlparse

from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.engine import make_url

from latentlaw.errors import TrackingError
from latentlaw.tracking.scrub import without_secrets

_PROBE_S = 5
# MLflow waits 0, 4, 8, 16 and 32 s between these tries: a server that is started anew within a
# minute costs nothing. Its own defaults are four minutes, or 16 where nothing comes back.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
# Schedulers kill 30 s after they ask to stop.
_HASTE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}


def set_patience() -> None:
    """Bound how long MLflow's requests are tried again; what the environment says wins."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


@contextmanager
def hasty_requests() -> Iterator[None]:
    """Give up on requests within seconds: for last words of a run that ends in any case."""
    before = {name: os.environ.get(name) for name in _HASTE}
    os.environ.update(_HASTE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def server_answers(tracking_uri: str) -> bool:
    """Ask once, for a few seconds; a store that is no HTTP server answers always.

    Any reply counts but those of a proxy whose server is down, and of a server that fails.
    """
    if urlparse(tracking_uri).scheme not in ("http", "https"):
        return True
    try:
        reply = http_request(
            get_default_host_creds(tracking_uri),
            "/health",
            "GET",
            max_retries=0,
            timeout=_PROBE_S,
            raise_on_status=False,
        )
    except (MlflowException, OSError):
        return False
    return bool(reply.status_code < 500)


def check_server(tracking_uri: str) -> None:
    """Refuse a server that does not answer, or a database without its driver, before any work.

    Raises
    ------
    TrackingError
        Naming the server, or the package.
    """
    _check_driver(tracking_uri)
    if not server_answers(tracking_uri):
        raise TrackingError(
            f"tracking: no MLflow server answers at {without_secrets(tracking_uri)} within "
            f"{_PROBE_S} s; start it, or set MLFLOW_TRACKING_URI to where runs are kept"
        )


def _check_driver(tracking_uri: str) -> None:
    if urlparse(tracking_uri).scheme.split("+")[0] not in DATABASE_ENGINES:
        return
    try:
        make_url(tracking_uri).get_dialect().import_dbapi()
    except ImportError as error:
        raise TrackingError(
            f"tracking: {without_secrets(tracking_uri)} needs a driver that is not installed "
            f"({error}); install that package, or start a server: docs/cluster.md"
        ) from error
