"""Similarity of atomic models by SOAP: one overlap of neighbour densities per molecule."""

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from latentlaw.geometry.resolution import gaussian_sigma
from latentlaw.priors.kernels import centred_affinity
from latentlaw.priors.table import AffinityTable

_RADIAL, _DEGREES = 8, 6  # functions of radius and degrees, as the Affinity-VAE reference takes
_CUTOFF = 6.0  # of the radial basis: it is ill-conditioned when lengths are in hundreds


def soap_affinity(
    positions_a: Mapping[str, NDArray[np.float64]], *, resolution_a: float
) -> AffinityTable:
    """Compute an affinity from the Smooth Overlap of Atomic Positions (Bartok et al. 2013).

    The centre is the centre of mass alone and the cutoff spans the largest molecule, since the
    surroundings of single atoms are alike in all proteins. All heavy atoms count as one species:
    the molecule's shape is compared, not its chemistry. The cosine of two power spectra is the
    mean square overlap over rotations; its root is on the scale of a correlation.

    Parameters
    ----------
    positions_a
        Atoms `(n, 3)`, x y z in angstrom from the centre of mass, by class name.
    resolution_a
        Atoms are blurred to this resolution, in angstrom.

    Raises
    ------
    DataError
        If there are fewer than three different molecules.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dscribe's dependencies announce their own deprecations
        from ase import Atoms
        from dscribe.descriptors import SOAP

    sigma = gaussian_sigma(resolution_a)
    reach = max(float(np.linalg.norm(atoms, axis=1).max()) for atoms in positions_a.values())
    scale = _CUTOFF / (reach + 3 * sigma)
    soap = SOAP(
        species=["C"],
        r_cut=_CUTOFF,
        n_max=_RADIAL,
        l_max=_DEGREES,
        sigma=sigma * scale,
        periodic=False,
    )
    spectra = np.concatenate(
        [
            soap.create(Atoms(f"C{len(atoms)}", positions=atoms * scale), centers=[[0.0] * 3])
            for atoms in positions_a.values()
        ]
    )
    unit = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    overlaps = np.sqrt(np.maximum(unit @ unit.T, 0))
    return centred_affinity(tuple(positions_a), overlaps)
