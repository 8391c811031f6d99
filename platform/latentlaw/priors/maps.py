"""Affinity of density maps, by the measure asked for."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from latentlaw.priors.descriptors import fourier_shells, power_spectrum, real_space
from latentlaw.priors.kernels import centred_affinity
from latentlaw.priors.rotation_search import best_overlap
from latentlaw.priors.shells import Coefficients, DensityMap, common_shells, expand
from latentlaw.priors.table import AffinityTable, Matrix
from latentlaw.progress import Progress, silent

MapMethod = Literal["harmonics", "correlation", "fsc"]


def map_affinity(
    maps: Sequence[DensityMap],
    method: MapMethod,
    *,
    resolution_a: float,
    progress: Progress = silent,
) -> AffinityTable:
    """Compute an affinity of density maps about their centres of mass.

    Maps may differ in box and voxel size, since all are sampled on the same shells.

    Parameters
    ----------
    maps
        One of each class, at least three.
    method
        "harmonics": cosine of rotation-invariant power spectra; "correlation", "fsc": correlation,
        or Fourier shell correlation averaged up to the resolution, of the best rotation.
    resolution_a
        Maps are blurred to this resolution, in angstrom.
    progress
        Called with pairs done and in all.

    Raises
    ------
    DataError
        If a map holds no density, or there are fewer than three different ones.
    """
    shells = common_shells(maps, resolution_a)
    coefficients = [expand(each, shells) for each in maps]
    if method == "harmonics":
        spectra = np.stack([power_spectrum(each, shells) for each in coefficients])
        similarities = spectra @ spectra.T
    else:
        describe = real_space if method == "correlation" else fourier_shells
        similarities = _best_overlaps([describe(each, shells) for each in coefficients], progress)
    return centred_affinity(tuple(each.name for each in maps), similarities)


def _best_overlaps(descriptors: Sequence[Coefficients], progress: Progress) -> Matrix:
    similarities = np.eye(len(descriptors))
    pairs = list(combinations(range(len(descriptors)), 2))
    for done, (i, j) in enumerate(pairs, start=1):
        similarities[i, j] = similarities[j, i] = best_overlap(descriptors[i], descriptors[j])
        progress(done, len(pairs), "pairs of shapes")
    return similarities
