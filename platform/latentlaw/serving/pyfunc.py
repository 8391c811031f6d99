"""The MLflow pyfunc model; logged as code, so nothing is pickled."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from latentlaw.errors import DataError
from latentlaw.serving.bundle import load_bundle


class LatentlawModel(PythonModel):
    """Images `(n, c, [z,] y, x)` in; one record per particle out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle that was logged beside this code."""
        self._bundle = load_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Answer for each image with the parts that `params["returns"]` names, or all.

        Parameters
        ----------
        context
            Of MLflow; not used.
        model_input
            Raw images `(n, c, [z,] y, x)` of the trained box.
        params
            `returns`, the names of parts; None: all of them.

        Returns
        -------
        DataFrame
            One row per image.

        Raises
        ------
        MlflowException
            If the images or the names are not what the model takes; the text is that of the
            `DataError`, which MLflow's server would not tell.
        """
        try:
            images = np.asarray(model_input, dtype=np.float32)
            records = self._bundle.predict(images, returns=(params or {}).get("returns"))
        except (DataError, ValueError) as error:  # the server says why only of its own exception
            raise MlflowException.invalid_parameter_value(str(error)) from error
        return pd.DataFrame(records)


set_model(LatentlawModel())
