"""Atomic structures: PDB and mmCIF files as centred atoms, and density maps made of them."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from latentlaw.errors import ConfigError, DataError
from latentlaw.geometry.resolution import gaussian_sigma

STRUCTURE_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
AUTO, DEPOSITED = "auto", "deposited"


@dataclass(frozen=True)
class Structure:
    """Heavy atoms of a macromolecule without solvent.

    Attributes
    ----------
    name
        The file's name up to its first dot.
    positions_a
        `(n, 3)`, x y z in angstrom from the centre of mass.
    atomic_numbers
        `(n,)`.
    """

    name: str
    positions_a: NDArray[np.float64]
    atomic_numbers: NDArray[np.int64]

    @property
    def radius_a(self) -> float:
        """Distance of the outermost atom from the centre of mass, in angstrom."""
        return float(np.linalg.norm(self.positions_a, axis=1).max())


def read_structure(path: str | Path, *, assembly: str = AUTO) -> Structure:
    """Read the first model of a PDB or mmCIF file, plain or gzipped.

    Hydrogens, waters and all but the first of alternative conformations are left out; this
    comes after the assembly is expanded.

    Parameters
    ----------
    path
        A file `.pdb .ent .cif .mmcif`, also `.gz`.
    assembly
        Name of the biological assembly, as "1"; "deposited" for the coordinates as they stand;
        "auto" for the first assembly where the file lists any, else as they stand.

    Raises
    ------
    DataError
        If the file cannot be read, holds no atoms, has coordinates that are no numbers, or does
        not list the assembly.
    """
    path = Path(path)
    structure = _parse(path)
    listed = [each.name for each in structure.assemblies]
    if assembly == AUTO:
        assembly = listed[0] if listed else DEPOSITED
    if assembly != DEPOSITED:
        if assembly not in listed:
            raise DataError(
                f"{path}: found no biological assembly {assembly!r}, expected one of "
                f"{', '.join(listed) or 'none'}; name one of them, or 'deposited' for the "
                "coordinates as they stand"
            )
        structure.transform_to_assembly(assembly, gemmi.HowToNameCopiedChain.AddNumber)
    structure.remove_alternative_conformations()
    structure.remove_hydrogens()
    structure.remove_waters()
    return _centred(path, structure)


def structure_map(
    structure: Structure,
    *,
    voxel_size_a: float,
    box: int | None = None,
    resolution_a: float | None = None,
) -> NDArray[np.float32]:
    """Render a structure as a density map, protein bright, its centre of mass on voxel box//2.

    Every atom is a Gaussian of its number of electrons, as wide as the resolution says, averaged
    over the voxel.

    Parameters
    ----------
    structure
        Atoms, as `read_structure` returns.
    voxel_size_a
        Edge of a voxel in angstrom.
    box
        Voxels along an edge; None takes the smallest even box in which the structure can turn.
    resolution_a
        In angstrom; None takes two voxels.

    Returns
    -------
    ndarray
        `(box, box, box)`, z y x, in electrons per cubic angstrom.

    Raises
    ------
    ConfigError
        If `voxel_size_a` is not positive, or `resolution_a` is finer than two voxels.
    DataError
        If the structure does not fit into the box in every orientation.
    """
    resolution = 2 * voxel_size_a if resolution_a is None else resolution_a
    if not (0 < voxel_size_a < np.inf and 2 * voxel_size_a <= resolution < np.inf):
        raise ConfigError(
            f"resolution: found {resolution:g} angstrom at voxel_size {voxel_size_a:g}, expected "
            "a positive voxel size, and a resolution of two voxels or coarser"
        )
    sigma = gaussian_sigma(resolution)
    needed = 2 * int(np.ceil((structure.radius_a + 2 * sigma) / voxel_size_a)) + 2
    box = needed if box is None else box
    if box < needed:
        raise DataError(
            f"{structure.name}: found a box of {box} voxels of {voxel_size_a:g} angstrom, "
            f"expected at least {needed} for a reach of {structure.radius_a:.0f} angstrom; "
            "take a larger box or larger voxels"
        )
    return _render(structure, voxel_size_a, box, sigma)


def _parse(path: Path) -> gemmi.Structure:
    """Parse the first model, and see that it has atoms at finite places."""
    try:
        raw = path.read_bytes()
        # gemmi would take a .gz that is cut off for a smaller molecule.
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        structure = gemmi.read_structure_string(text, format=gemmi.CoorFormat.Detect)
    except (OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); expected a whole PDB or mmCIF file, plain or .gz"
        ) from error
    del structure[1:]
    if not any(_atoms(structure)):
        raise DataError(
            f"{path}: found no atoms, expected a PDB or mmCIF file with coordinates; "
            "download the coordinates again"
        )
    for atom in _atoms(structure):
        if not np.isfinite(atom.pos.tolist()).all():
            raise DataError(
                f"{path}: found atom {atom.serial} at {atom.pos.tolist()}, expected x y z in "
                "angstrom; mend or remove it"
            )
    return structure


def _centred(path: Path, structure: gemmi.Structure) -> Structure:
    # Atoms of unknown element stand in files as number 0; they have neither mass nor electrons.
    atoms = [atom for atom in _atoms(structure) if atom.element.atomic_number > 0]
    if not atoms:
        raise DataError(
            f"{path}: found no atom beside hydrogens and waters, expected a macromolecule; give "
            "its model"
        )
    positions = np.array([atom.pos.tolist() for atom in atoms])
    masses = np.array([atom.element.weight for atom in atoms])
    numbers = np.array([atom.element.atomic_number for atom in atoms], dtype=np.int64)
    centre = masses @ positions / masses.sum()
    return Structure(path.name.split(".")[0], positions - centre, numbers)


def _atoms(structure: gemmi.Structure) -> Iterator[gemmi.Atom]:
    return (
        atom for model in structure for chain in model for residue in chain for atom in residue
    )


def _render(
    structure: Structure, voxel_size_a: float, box: int, sigma_a: float
) -> NDArray[np.float32]:
    """Spread atoms over a finer grid, blur that, and average its voxels into the map's."""
    fine = 2  # at two voxels' resolution the blur is then about a fine voxel wide
    step = voxel_size_a / fine
    grid = _splat(
        structure.positions_a[:, ::-1] / step + fine * (box // 2) + (fine - 1) / 2,
        structure.atomic_numbers.astype(np.float64),
        fine * box,
    )
    # Linear interpolation has already widened each atom by a variance of step^2 / 6.
    grid = gaussian_filter(grid, (sigma_a**2 / step**2 - 1 / 6) ** 0.5, mode="constant")
    blocks = grid.reshape(box, fine, box, fine, box, fine)
    return np.asarray(blocks.sum(axis=(1, 3, 5)) / voxel_size_a**3, dtype=np.float32)


def _splat(
    points: NDArray[np.float64], weights: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    """Spread weights `(n,)` at points `(n, 3)`, z y x in voxels, over their eight neighbours."""
    low = np.floor(points).astype(np.int64)
    fraction = points - low
    total = np.zeros(size**3)
    for corner in product((0, 1), repeat=3):
        share = np.where(corner, fraction, 1 - fraction).prod(axis=1)
        voxels = np.ravel_multi_index(tuple((low + corner).T), (size, size, size))
        total += np.bincount(voxels, weights * share, minlength=size**3)
    return total.reshape(size, size, size).astype(np.float32)
