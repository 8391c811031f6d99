"""Whether protein is bright or dark in a tomogram; it is bright in stacks and to models."""

from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Contrast = Literal["bright", "dark"]
Real = TypeVar("Real", bound=np.floating[Any])


def bright(voxels: NDArray[Real], contrast: Contrast) -> NDArray[Real]:
    """Return voxels of any shape with protein bright: where it is dark, of the other sign."""
    return -voxels if contrast == "dark" else voxels
