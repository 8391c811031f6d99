"""Registration: a run's model becomes a version; an alias moves only through a gate."""

from dataclasses import dataclass

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from latentlaw.errors import RegistryError
from latentlaw.tracking.names import MODEL, TAG_DATA_DIGEST

#: Held-out measures that a gate may compare, in the order of preference.
GATE_METRICS = ("discovery/equation_accuracy", "classification/macro_f1")
CANDIDATE = "candidate"
_METRIC_TAG, _VALUE_TAG = "latentlaw.gate_metric", "latentlaw.gate_value"


@dataclass(frozen=True)
class Registration:
    """A version, whether the alias moved to it, and why or why not."""

    name: str
    version: str
    promoted: bool
    reason: str


def register_run(run_id: str, name: str, alias: str) -> Registration:
    """Register the model of a run as `name`; move `alias` to it if it passes the gate.

    The version is `candidate` in any case. It passes if no version holds the alias yet, or if it
    was measured on the same data by the same measure and is not worse.

    Raises
    ------
    RegistryError
        If the run has no model or no held-out measure.
    """
    client = MlflowClient()
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise RegistryError(f"run {run_id!r}: no such run ({error.message})") from error
    metric = next((m for m in GATE_METRICS if m in run.data.metrics), None)
    if metric is None:
        raise RegistryError(
            f"run {run_id!r}: no held-out measure; expected one of {', '.join(GATE_METRICS)}, "
            "register a run of `discover` or `evaluate` it first"
        )
    digest = run.data.tags.get(TAG_DATA_DIGEST, "")
    try:
        version = str(mlflow.register_model(f"runs:/{run_id}/{MODEL}", name).version)
    except MlflowException as error:
        raise RegistryError(f"run {run_id!r}: no model to register ({error.message})") from error
    value = run.data.metrics[metric]
    for key, tag in ((TAG_DATA_DIGEST, digest), (_METRIC_TAG, metric), (_VALUE_TAG, repr(value))):
        client.set_model_version_tag(name, version, key, tag)
    client.set_registered_model_alias(name, CANDIDATE, version)
    passed, reason = _gate(client, name, alias, metric, value, digest)
    if passed:
        client.set_registered_model_alias(name, alias, version)
    return Registration(name, version, passed, reason)


def _gate(
    client: MlflowClient, name: str, alias: str, metric: str, value: float, digest: str
) -> tuple[bool, str]:
    try:
        holder = client.get_model_version_by_alias(name, alias)
    except MlflowException:
        return True, f"no version held {alias!r}; {metric} {value:.3f}"
    if holder.tags.get(TAG_DATA_DIGEST) != digest or holder.tags.get(_METRIC_TAG) != metric:
        return False, (
            f"version {holder.version} holds {alias!r} and was measured on other data, so the two "
            "do not compare; register under another `name`"
        )
    held = float(holder.tags[_VALUE_TAG])
    if value < held:
        return False, f"{metric} {value:.3f} is below {held:.3f} of version {holder.version}"
    return True, f"{metric} {value:.3f} is not below {held:.3f} of version {holder.version}"
