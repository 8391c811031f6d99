"""How the measures of shape agree on proteins that come both as structures and as maps.

`python -m tests.results prior_agreement` measures rank correlations over pairs of proteins, and
what turning the templates at random changes.
"""

import time
from collections.abc import Iterator
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

from tests.results.records import Row

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


def measure(folder: Path) -> Iterator[Row]:
    """Compare the measures on proteins in `structures/` and `templates_10A/` of a folder."""
    found = tables(folder)
    names = list(found["soap"].class_names)
    for first, second in combinations(found, 2):
        for column, few in ((f"all {len(names)}", ()), ("SHREC's ten", BEYOND_SHREC)):
            kept = [name for name in names if name not in few]
            rho = rank_correlation(found[first].select(kept), found[second].select(kept))
            pairs = len(kept) * (len(kept) - 1) // 2
            yield Row(f"{first}, {second}", rho, column=f"{column}: {pairs} pairs",
                      table="Spearman over pairs of proteins")  # fmt: skip
    relatives = ["1s3x", "3gl1", "4v4r_30S"]
    for method, each in found.items():
        values = each.select(relatives).values
        for i, j in ((0, 1), (0, 2), (1, 2)):
            pair = f"{relatives[i]}, {relatives[j]}"
            yield Row(pair, float(values[i, j]), column=method, table="affinity of")
    for method in MAP_METHODS:
        start = time.perf_counter()
        change = largest_change(folder, method, seed=1)
        seconds = (time.perf_counter() - start) / 2
        largest = "largest change when all are turned at random"
        yield Row(largest, change, column=method, table="maps", at_most=0.01)
        yield Row(f"time of a table of {len(names)}", seconds, "s", column=method, table="maps")
