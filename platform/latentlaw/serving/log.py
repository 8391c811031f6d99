"""Log a bundle with MLflow so that it loads and serves without this repository."""

import importlib.metadata
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from numpy.typing import NDArray

import latentlaw
from latentlaw.errors import RegistryError
from latentlaw.evaluation.embed import Images
from latentlaw.serving.answers import PARTS
from latentlaw.serving.bundle import Bundle, load_bundle
from latentlaw.tracking.names import MODEL
from latentlaw.tracking.reading.logged import fetched
from latentlaw.tracking.scrub import without_secrets
from latentlaw.tracking.store.failures import reason_of

_PACKAGE = Path(latentlaw.__file__).parent
#: What the served code imports; torch as its plain version, so that a CPU build satisfies it.
_REQUIREMENTS = (
    "torch",
    "mlflow",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "pydantic",
    "safetensors",
    "sympy",
)


def log_bundle(bundle: Bundle, example: NDArray[np.float32]) -> str:
    """Log the bundle under the active run and return its model URI.

    Parameters
    ----------
    bundle
        The model, its head and, if it has one, its law.
    example
        A few raw images `(n, c, [z,] y, x)`, kept as the input example.
    """
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *bundle.model.config.image_shape))]),
        params=ParamSchema([ParamSpec("returns", DataType.string, list(PARTS), shape=(-1,))]),
    )
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        bundle.save(folder, code=_PACKAGE)
        # A copy: MLflow records where it found the code, which is in somebody's home.
        entry = shutil.copy(_PACKAGE / "serving" / "pyfunc.py", scratch)
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=entry,
            artifacts={"bundle": str(folder)},
            code_paths=[str(_PACKAGE)],
            signature=signature,
            input_example=example,
            pip_requirements=[_pin(name) for name in _REQUIREMENTS],
        )
    return str(logged.model_uri)


def load_logged_bundle(model: str) -> Bundle:
    """Load the bundle of a run id, `runs:/…` or `models:/…` URI.

    Raises
    ------
    RegistryError
        If there is no such model.
    """
    uri = model_uri(model)
    try:
        with fetched(f"{uri}/artifacts/bundle") as folder:
            return load_bundle(folder)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise _not_there(model, error) from error


def load_example(model: str) -> NDArray[np.float32]:
    """Return the raw example images `(n, c, [z,] y, x)` that a model was logged with.

    Raises
    ------
    RegistryError
        If there is no such model, or none were logged.
    """
    uri = model_uri(model)
    try:
        with fetched(uri) as folder:
            example = Model.load(folder).load_input_example(str(folder))
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise _not_there(model, error) from error
    if example is None:
        raise RegistryError(f"{model}: found no example images; log the model again")
    return np.asarray(example, dtype=np.float32)


def model_uri(model: str) -> str:
    """Return the URI of a model that is given as one, or as a run id."""
    return model if ":/" in model else f"runs:/{model}/{MODEL}"


def _not_there(model: str, error: Exception) -> RegistryError:
    store = without_secrets(mlflow.get_tracking_uri())
    return RegistryError(
        f"{model}: found no logged model at {model_uri(model)} ({reason_of(error)}); give the id "
        f"of a `train` or `discover` run, or a URI as models:/NAME@champion, that is in {store}"
    )


def _pin(package: str) -> str:
    version: str = importlib.metadata.version(package)
    return f"{package}=={version.split('+')[0]}"


def example_images(images: Images) -> NDArray[np.float32]:
    """Keep at most two of the images `(n, c, [z,] y, x)` for the input example."""
    return np.asarray(images[:2], dtype=np.float32)
