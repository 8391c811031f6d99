"""Novelty with a false-positive rate that holds: split conformal p-values.

A score of a new particle is ranked among those of n known ones that nothing was fitted on:
`p = (1 + #{calibration scores >= score}) / (n + 1)` (Vovk, Gammerman & Shafer 2005; Bates et al.
2023, Ann. Stat. 51, 149). If the new particle is one more of the same, exchangeable with those,
then `P(p <= a) <= a` for every a, whatever the score and its distribution.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
_MOST = 10_000  # scores that are kept


def calibration_scores(known: Array) -> tuple[float, ...]:
    """Return sorted scores of known particles `(n,)`, at most 10,000 of them drawn evenly.

    A draw is as exchangeable as the whole, so that the rates still hold.
    """
    if len(known) > _MOST:
        known = np.random.default_rng(0).choice(known, _MOST, replace=False)
    return tuple(np.sort(known).tolist())


def novelty_of(scores: Array, calibration: tuple[float, ...]) -> Array:
    """Return `1 - p` of scores `(n,)`, in [0, 1).

    Calling what is above `1 - a` new is wrong for at most the share a of known particles, in the
    mean over calibrations. The largest value is `n / (n + 1)`: with fewer than 20 calibration
    particles nothing is called new at a = 5 %, with 20 only what is beyond all of them.

    Examples
    --------
    >>> novelty_of(np.array([0.5, 9.0]), calibration=(1.0, 2.0, 3.0))
    array([0.  , 0.75])
    """
    below = np.searchsorted(np.array(calibration), scores, side="left")
    return np.asarray(below / (len(calibration) + 1))
