"""Variables of the environment that commands heed; one that is misspelled is not ignored."""

import difflib
from collections.abc import Mapping

import mlflow.environment_variables
from latentlaw.errors import ConfigError, nearest_hint
from latentlaw.tracking.names import SPOOL_VARIABLE
from latentlaw.tuning.server import PIPE

#: What the documentation tells to set, by whoever reads it.
HEEDED = (SPOOL_VARIABLE, "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "OPTUNA_STORAGE")
_OURS = "LATENTLAW_"
#: Read by the files of infra/.
_OF_INFRA = {_OURS + name for name in ("ROOT", "HOST", "DATA", "USER", "PASSWORD_HASH")}
_ALIKE = 0.85  # MLFLOW_TRACKING_URL is, MLFLOW_TRACKING_TOKEN is not


def check_environment(variables: Mapping[str, str]) -> None:
    """Refuse a variable of ours that is not known, and one that is nearly one of `HEEDED`.

    Raises
    ------
    ConfigError
        Naming the variable and the nearest that is known.
    """
    known = {*HEEDED, PIPE, *_OF_INFRA, *vars(mlflow.environment_variables)}
    for name in sorted(variables.keys() - known):
        alike = difflib.get_close_matches(name, HEEDED, n=1, cutoff=_ALIKE)
        if alike or name.startswith(_OURS):
            hint = nearest_hint(name, alike or HEEDED) or f"; known: {', '.join(HEEDED)}"
            raise ConfigError(
                f"environment: found {name}{hint}, which nothing reads; correct or unset it"
            )
