"""Models at work in the app: the one module that loads them, and only when a page asks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import streamlit as st
import tifffile
from latentlaw.data.formats.images import image_kind, read_image
from latentlaw.errors import DataError
from PIL import Image

from dashboards.reading import store

if TYPE_CHECKING:
    import numpy as np
    from latentlaw.serving.bundle import Bundle as Bundle
    from numpy.typing import NDArray

#: What may be uploaded, by its ending.
SUFFIXES = ("mrc", "map", "tif", "tiff", "png")
KINDS = "MRC, TIFF or PNG"
_MOST_VALUES = 2**26  # 256 MiB as float32
_MOST_LOADED = 2


@st.cache_resource(max_entries=_MOST_LOADED, ttl=3600, show_spinner="Loading the model …")
def _bundle(uri: str, model: str) -> Bundle:
    # Torch takes seconds and hundreds of megabytes, which pages without a model are spared.
    from latentlaw.serving.log import load_logged_bundle
    from latentlaw.tracking.recording.runs import configure_tracking

    configure_tracking(uri)
    return load_logged_bundle(model)


def load_bundle(model: str) -> Bundle:
    """Load the model of a run id or `models:/NAME/VERSION`; it is kept for an hour.

    Raises
    ------
    RegistryError
        If there is none.
    CheckpointError
        If a file of it is missing, changed or damaged.
    """
    return _bundle(store.tracking_uri(), model)


def read_upload(name: str, content: bytes) -> tuple[NDArray[Any], float | None]:
    """Read an uploaded image or volume; nothing of it is ever unpickled.

    Returns
    -------
    image, voxel_size_a
        `(c, [z,] y, x)`, and the edge of a voxel in angstrom where the file says one.

    Raises
    ------
    DataError
        If it is no image that can be read.
    """
    with TemporaryDirectory() as scratch:
        # A name of our own: the uploaded one may hold anything. It would be in messages too.
        path = Path(scratch) / f"upload{''.join(Path(name).suffixes[-1:])}"
        path.write_bytes(content)
        _check_size(path)
        image, voxel_size_a = read_image(path)
        return image.copy(), voxel_size_a


def _check_size(path: Path) -> None:
    """Refuse what is small as a file and huge in memory, before it is unpacked."""
    values = 0
    try:
        match image_kind(path):
            case "png":
                with Image.open(path) as picture:
                    values = picture.width * picture.height
            case "tiff":
                with tifffile.TiffFile(path) as tiff:
                    values = tiff.series[0].size
            case None:
                raise DataError(f"upload: found a file of another kind, expected {KINDS}")
    except (OSError, ValueError, SyntaxError, IndexError, Image.DecompressionBombError) as error:
        raise DataError(f"upload: cannot be read as an image ({error}); copy it again") from error
    if values > _MOST_VALUES:
        raise DataError(
            f"upload: found {values:,} values, expected at most {_MOST_VALUES:,}; cut out the "
            "particle"
        )


def wanted_shape(bundle: Bundle) -> tuple[int, ...]:
    """Return the shape of the images that a model takes: `(c, [z,] y, x)`."""
    shape: tuple[int, ...] = bundle.model.config.image_shape
    return shape


def answer(bundle: Bundle, image: NDArray[np.generic]) -> dict[str, Any]:
    """Return what a model says of one image `(c, [z,] y, x)`.

    Raises
    ------
    DataError
        If it is not of the model's shape, or not finite.
    """
    return bundle.predict(image[None])[0]


def probabilities(bundle: Bundle, mu: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return class probabilities `(n, K)` of latent means `(n, d)`."""
    return bundle.probabilities(mu)


def decode(bundle: Bundle, mu: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the images `(n, c, [z,] y, x)` that latents `(n, d)` stand for, unturned."""
    return bundle.decode(mu)
