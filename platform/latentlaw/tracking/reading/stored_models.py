"""Which models of a store can be loaded: aliases, and models whose files are gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mlflow import MlflowClient

_PAGE = 1000


def aliases(tracking_uri: str) -> list[str]:
    """Return the `models:/NAME@ALIAS` of every alias of every registered model, sorted."""
    client = MlflowClient(tracking_uri)
    models = _every(lambda token: client.search_registered_models(page_token=token))
    return sorted(f"models:/{each.name}@{alias}" for each in models for alias in each.aliases)


def lost_models(tracking_uri: str) -> list[str]:
    """Return the ids of the runs that logged a model whose folder is gone, newest first.

    Only models in folders are looked for; those of a server or a bucket are left out.
    """
    client = MlflowClient(tracking_uri)
    experiments = [each.experiment_id for each in client.search_experiments(max_results=_PAGE)]
    models = _every(
        lambda token: client.search_logged_models(experiments, max_results=_PAGE, page_token=token)
    )
    return list(dict.fromkeys(each.source_run_id for each in models if _lost(each)))


def _lost(model: Any) -> bool:
    location = urlparse(model.artifact_location)
    local = location.scheme in ("", "file")
    return local and str(model.status) == "READY" and not Path(unquote(location.path)).is_dir()


def _every(search: Callable[[str | None], Any]) -> list[Any]:
    found, token = [], None
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found
