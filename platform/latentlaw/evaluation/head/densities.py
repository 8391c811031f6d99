"""How dense the known classes are about a latent: a Gaussian per class, of latent directions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Array = NDArray[np.floating[Any]]
_LEAST = 1e-3  # of the mean variance: what is added, since directions have none along themselves


class ClassDensities(BaseModel):
    """A Gaussian of unit latents for each class.

    Latents are scaled to length 1, since the affinity term shapes their angles only. The class's
    own covariance counts: clusters are flat and long, so distances to centres say little.

    Attributes
    ----------
    centres
        Mean unit latents `(classes, d)`.
    precisions
        Inverse covariances `(classes, d, d)`.
    log_volumes
        Logarithms of the covariances' determinants `(classes,)`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    centres: tuple[tuple[float, ...], ...]
    precisions: tuple[tuple[tuple[float, ...], ...], ...]
    log_volumes: tuple[float, ...]

    @classmethod
    def fit(cls, mu: Array, labels: NDArray[np.str_], names: list[str]) -> "ClassDensities":
        """Fit to latent means `(n, d)` of labelled particles; each of `names` has at least one.

        A class's covariance is shrunk to that within all classes as if d more particles had it
        (regularised discriminant analysis, Friedman 1989, J. Am. Stat. Assoc. 84, 165), so that a
        class of a few particles has one too.
        """
        unit, d = unit_vectors(mu).astype(np.float64), mu.shape[1]
        members = [unit[labels == name] for name in names]
        centres = np.stack([each.mean(axis=0) for each in members])
        scatters = np.stack(
            [(each - c).T @ (each - c) for each, c in zip(members, centres, strict=True)]
        )
        sizes = np.array([len(each) for each in members])[:, None, None]
        within = scatters.sum(axis=0) / sizes.sum()
        least = max(_LEAST * np.trace(within) / d, 1e-12) * np.eye(d)
        covariances = (scatters + d * within) / (sizes + d) + least
        return cls(
            centres=_rows(centres),
            precisions=tuple(map(_rows, np.linalg.inv(covariances))),
            log_volumes=tuple(np.linalg.slogdet(covariances).logabsdet.tolist()),
        )

    def surprise(self, mu: Array) -> Array:
        """Negative log density `(n,)` under the class where it is least, without its constant."""
        apart = unit_vectors(mu)[:, None] - np.array(self.centres)
        squared = np.einsum("nki,kij,nkj->nk", apart, np.array(self.precisions), apart)
        return np.asarray((squared + np.array(self.log_volumes)).min(axis=1) / 2)


def unit_vectors(vectors: Array) -> Array:
    """Scale vectors `(…, d)` to length 1; zeros stay."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
