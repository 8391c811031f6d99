"""The Gaussian that stands for a resolution."""

import math


def gaussian_sigma(resolution: float) -> float:
    """Return the standard deviation of a Gaussian whose spectrum falls to 1/e at `resolution`.

    The convention of UCSF Chimera's molmap; both lengths are in one unit.
    """
    return resolution / (math.pi * math.sqrt(2))
