"""Two-dimensional pictures of a latent space."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

Points = NDArray[np.float64]
Latents = NDArray[np.floating[Any]]
Method = Literal["pca", "tsne", "umap"]
METHODS: tuple[Method, ...] = get_args(Method)

#: Particles that t-SNE and UMAP, which take long, are made of at most.
MOST_EMBEDDED = 2000
_SEED = 0


def project_2d(mu: Latents, fit_on: NDArray[np.bool_]) -> Points:
    """Project latent means `(n, d)` on the first two principal components of the rows `fit_on`.

    The components are those of unit vectors, since similarity is the cosine.
    """
    unit = mu / np.maximum(np.linalg.norm(mu, axis=1, keepdims=True), 1e-12)
    if unit.shape[1] < 2:
        return np.column_stack((unit[:, 0], np.zeros(len(unit))))
    return np.asarray(PCA(n_components=2, random_state=_SEED).fit(unit[fit_on]).transform(unit))


def project_latents(mu: Latents, method: Method, *, most: int = MOST_EMBEDDED) -> Points:
    """Lay latent means `(n, d)` out in a plane, `(n, 2)`.

    Parameters
    ----------
    mu
        Latent means `(n, d)`; a row that is not finite is NaN in the plane.
    method
        `pca`: the first two principal components. `tsne`: van der Maaten and Hinton (2008).
        `umap`: McInnes, Healy and Melville (2018). The last two by cosine distance, as the latent
        space is compared.
    most
        Of more particles, t-SNE and UMAP take a random sample; the rows of the others are NaN.
    """
    finite = np.flatnonzero(np.isfinite(mu).all(axis=1))
    if method != "pca" and len(finite) > most:
        finite = np.sort(np.random.default_rng(_SEED).choice(finite, most, replace=False))
    plane = np.full((len(mu), 2), np.nan)
    if len(finite):
        plane[finite] = _METHODS[method](np.asarray(mu[finite], dtype=np.float64))
    return plane


def _pca(mu: Points) -> Points:
    axes = min(2, *mu.shape)
    if not np.ptp(mu, axis=0).any():
        return np.zeros((len(mu), 2))  # all in one place: no direction has variance
    found = PCA(n_components=axes, random_state=_SEED).fit_transform(mu)
    return np.pad(found, ((0, 0), (0, 2 - axes)))


def _tsne(mu: Points) -> Points:
    if len(mu) < _FEWEST:
        return _pca(mu)
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(mu) - 1) / 3)
    fitted = TSNE(metric="cosine", perplexity=perplexity, random_state=_SEED, n_jobs=1)
    return np.asarray(fitted.fit_transform(mu), dtype=np.float64)


def _umap(mu: Points) -> Points:
    if len(mu) < _FEWEST:
        return _pca(mu)
    from umap import UMAP  # here, since it takes seconds

    neighbours = min(15, len(mu) - 1)
    fitted = UMAP(n_neighbors=neighbours, metric="cosine", random_state=_SEED, n_jobs=1)
    return np.asarray(fitted.fit_transform(mu), dtype=np.float64)


_FEWEST = 5  # below, neighbourhoods say nothing
_METHODS: dict[Method, Callable[[Points], Points]] = {
    "pca": _pca,
    "tsne": _tsne,
    "umap": _umap,
}
