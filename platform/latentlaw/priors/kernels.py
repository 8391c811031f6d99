"""From raw similarities to an affinity that spreads over [-1, 1] and that cosines can meet."""

import numpy as np

from latentlaw.errors import DataError
from latentlaw.priors.table import AffinityTable, Matrix, project

_SAME = 1e-6


def centred_affinity(names: tuple[str, ...], similarities: Matrix) -> AffinityTable:
    """Centre similarities on the mean shape and scale them to [-1, 1].

    Raw similarities of macromolecules lie close together, all positive, and as cosines would put
    every class into one narrow cone. As in kernel principal components, similarities become
    those of each shape's difference from the mean: `H K H` with `H = 1 - 11^T/n`, scaled to
    diagonal 1. A maximum over rotations need not be positive semidefinite, so `K` is projected
    first; the result then is a correlation matrix, and latent cosines can meet it.

    Parameters
    ----------
    names
        Of the n shapes, in the order of the rows.
    similarities
        `(n, n)`, symmetric, with diagonal 1.

    Raises
    ------
    DataError
        If there are fewer than three shapes, whose centred similarities would always be -1, or
        one does not differ from the mean.
    """
    if len(names) < 3:
        raise DataError(
            f"affinity: found {len(names)} shapes ({', '.join(names)}), expected three or more: "
            "similarities are relative to the mean shape; write a table of two classes by hand"
        )
    kernel = project(AffinityTable(names, similarities)).values
    means = kernel.mean(axis=0)
    centred = kernel - means - means[:, None] + means.mean()
    norms = np.diag(centred)
    if norms.min() < _SAME:
        raise DataError(
            f"affinity: found template {names[norms.argmin()]!r} no other than the mean of all "
            f"{len(names)}, expected different shapes; compare the files or take a finer "
            "`resolution`"
        )
    values = np.clip(centred / np.sqrt(np.outer(norms, norms)), -1, 1)
    np.fill_diagonal(values, 1.0)
    return AffinityTable(names, values)
