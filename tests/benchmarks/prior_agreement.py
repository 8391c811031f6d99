"""How the measures of shape agree on proteins that come both as structures and as maps.

`python -m tests.benchmarks.prior_agreement [FOLDER]` prints rank correlations over pairs of
proteins, and what turning the templates at random changes. FOLDER holds `structures/` and
`templates_10A/`; it is `../shared/data` if not given.
"""

import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from latentlaw.data.formats.mrc import open_mrc
from latentlaw.data.formats.structures import DEPOSITED, Structure, read_structure, structure_map
from latentlaw.geometry.rotations import random_rotations
from latentlaw.priors.maps import MapMethod, map_affinity
from latentlaw.priors.shells import DensityMap
from latentlaw.priors.soap import soap_affinity
from latentlaw.priors.table import AffinityTable
from scipy.stats import spearmanr

MAP_METHODS: tuple[MapMethod, ...] = ("harmonics", "correlation", "fsc")
BEYOND_SHREC = ("3j9i", "4v4r_30S")  # in both folders, but not of SHREC's ten proteins here
RESOLUTION_A = 30.0  # the entry's default


def structures(folder: Path) -> dict[str, Structure]:
    """Read the structures that have a map, as deposited: that is what the maps were made of."""
    names = {path.name.split(".")[0] for path in (folder / "templates_10A").glob("*.mrc.gz")}
    read = (
        read_structure(path, assembly=DEPOSITED)
        for path in sorted((folder / "structures").glob("*.gz"))
        if path.name.split(".")[0] in names
    )
    return {structure.name: structure for structure in read}


def maps(folder: Path, names: list[str]) -> list[DensityMap]:
    """Read the maps of `names`."""
    opened = {name: open_mrc(folder / "templates_10A" / f"{name}.mrc.gz") for name in names}
    return [DensityMap(name, each.data, each.voxel_size_a) for name, each in opened.items()]


def tables(folder: Path) -> dict[str, AffinityTable]:
    """Compute SOAP of the structures, and every measure of the maps."""
    atoms = {name: each.positions_a for name, each in structures(folder).items()}
    volumes = maps(folder, list(atoms))
    found = {
        method: map_affinity(volumes, method, resolution_a=RESOLUTION_A) for method in MAP_METHODS
    }
    return {"soap": soap_affinity(atoms, resolution_a=RESOLUTION_A), **found}


def rank_correlation(first: AffinityTable, second: AffinityTable) -> float:
    """Spearman's rho over pairs of different classes."""
    pairs = np.triu_indices(len(first.values), k=1)
    return float(spearmanr(first.values[pairs], second.values[pairs])[0])


def largest_change(folder: Path, method: MapMethod, seed: int) -> float:
    """Largest change of a value when all molecules are turned at random before they are maps."""
    molecules = structures(folder)
    turns = random_rotations(len(molecules), 3, torch.Generator().manual_seed(seed)).numpy()
    turned = {
        name: Structure(name, each.positions_a @ turn.T, each.atomic_numbers)
        for (name, each), turn in zip(molecules.items(), turns, strict=True)
    }
    before, after = (
        map_affinity(
            [DensityMap(n, structure_map(s, voxel_size_a=10.0), 10.0) for n, s in each.items()],
            method,
            resolution_a=RESOLUTION_A,
        )
        for each in (molecules, turned)
    )
    return float(np.abs(after.values - before.values).max())


def main(folder: Path) -> None:
    """Print what was found."""
    found = tables(folder)
    names = list(found["soap"].class_names)
    ten = [name for name in names if name not in BEYOND_SHREC]
    print(f"{len(names)} proteins: {', '.join(names)}")
    for first, second in combinations(found, 2):
        few = rank_correlation(found[first].select(ten), found[second].select(ten))
        rho = rank_correlation(found[first], found[second])
        print(f"Spearman {first:>11} - {second:<11} all {rho:.3f}, SHREC's ten {few:.3f}")
    for method, table in found.items():
        near, far, other = table.select(["1s3x", "3gl1", "4v4r_30S"]).values[
            *np.triu_indices(3, 1)
        ]
        print(f"{method}: 1s3x-3gl1 {near:.3f}, to 4v4r_30S {far:.3f} and {other:.3f}")
    for method in MAP_METHODS:
        start = time.perf_counter()
        change = largest_change(folder, method, seed=1)
        print(f"{method}: turned at random, changes by {change:.4f} at most")
        print(f"  {(time.perf_counter() - start) / 2:.1f} s a table of {len(names)}")


if __name__ == "__main__":
    shared = Path(__file__).parents[3] / "shared" / "data"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else shared)
