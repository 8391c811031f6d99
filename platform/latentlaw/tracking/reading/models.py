"""Read-only, bounded questions to the registry about models and their versions."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from latentlaw.tracking.store.failures import reading, store_exists

_MOST = 200


@dataclass(frozen=True)
class Version:
    """A registered version.

    Attributes
    ----------
    run_id
        The run that logged its model; empty where none is known.
    description
        Markdown: its model card.
    made
        When it was registered, UTC.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    description: str
    tags: Mapping[str, str]
    made: pd.Timestamp

    @property
    def uri(self) -> str:
        """What loads it."""
        return f"models:/{self.name}/{self.version}"


def list_models(tracking_uri: str) -> list[str]:
    """Return the names of the registered models, sorted; at most 200.

    Raises
    ------
    DataError
        When the registry cannot be read.
    """
    if not store_exists(tracking_uri):
        return []
    with reading(tracking_uri):
        found = _client(tracking_uri).search_registered_models(max_results=_MOST)
    return sorted(model.name for model in found)


def list_versions(tracking_uri: str, name: str) -> list[Version]:
    """Return a model's versions, newest first; at most 200.

    Raises
    ------
    DataError
        When the registry cannot be read, or has no such model.
    """
    if not store_exists(tracking_uri):
        return []
    with reading(tracking_uri):
        client = _client(tracking_uri)
        aliases = client.get_registered_model(name).aliases
        quoted = name.replace("'", "''")
        found = client.search_model_versions(f"name = '{quoted}'", max_results=_MOST)
    versions = [_version(each, aliases) for each in found]
    return sorted(versions, key=lambda each: int(each.version), reverse=True)


def _version(found: ModelVersion, aliases: Mapping[str, str]) -> Version:
    number = str(found.version)
    return Version(
        name=found.name,
        version=number,
        aliases=tuple(sorted(a for a, holder in aliases.items() if str(holder) == number)),
        run_id=found.run_id or "",
        description=found.description or "",
        tags=dict(found.tags),
        made=pd.Timestamp(found.creation_timestamp, unit="ms", tz="UTC"),
    )


def _client(tracking_uri: str) -> MlflowClient:
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=registry)
