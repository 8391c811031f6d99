"""Two-dimensional pictures of a latent space."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA


def project_2d(mu: NDArray[np.floating[Any]], fit_on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Project latent means `(n, d)` on the first two principal components of the rows `fit_on`.

    The components are those of unit vectors, since similarity is the cosine.
    """
    unit = mu / np.maximum(np.linalg.norm(mu, axis=1, keepdims=True), 1e-12)
    if unit.shape[1] < 2:
        return np.column_stack((unit[:, 0], np.zeros(len(unit))))
    return np.asarray(PCA(n_components=2, random_state=0).fit(unit[fit_on]).transform(unit))
