"""On real proteins the measures agree, and a template's orientation does not matter."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.structures import structure_map
from latentlaw.priors.descriptors import real_space
from latentlaw.priors.maps import MapMethod
from latentlaw.priors.rotation_search import best_overlap
from latentlaw.priors.shells import DensityMap, common_shells, expand
from latentlaw.priors.table import AffinityTable

from tests.benchmarks.prior_agreement import (
    MAP_METHODS,
    RESOLUTION_A,
    largest_change,
    maps,
    rank_correlation,
    structures,
    tables,
)


@pytest.fixture(scope="module")
def found(shared_data: Path) -> dict[str, AffinityTable]:
    return tables(shared_data)


def test_measures_agree_in_rank(found: dict[str, AffinityTable]) -> None:
    rho = {
        pair: rank_correlation(found[pair[0]], found[pair[1]]) for pair in combinations(found, 2)
    }
    assert rho["soap", "correlation"] > 0.88
    assert min(rho.values()) > 0.85


@pytest.mark.parametrize("method", ["soap", *MAP_METHODS])
def test_hsp70_domains_are_nearer_to_each_other_than_to_the_ribosome(
    found: dict[str, AffinityTable], method: str
) -> None:
    table = found[method].select(["1s3x", "3gl1", "4v4r_30S"])
    relatives, *others = table.values[np.triu_indices(3, k=1)]
    assert relatives > max(others) + 0.3
    assert found[method].floor < 1e-6


@pytest.mark.parametrize("method", MAP_METHODS)
def test_turning_real_molecules_changes_nothing(shared_data: Path, method: MapMethod) -> None:
    assert largest_change(shared_data, method, seed=2) < 0.01


def test_rendered_structures_are_the_maps_that_another_tool_made(shared_data: Path) -> None:
    molecules = structures(shared_data)
    for given in maps(shared_data, list(molecules)):
        volume = structure_map(molecules[given.name], voxel_size_a=given.voxel_size_a)
        pair = (given, DensityMap(given.name, volume, given.voxel_size_a))
        shells = common_shells(pair, RESOLUTION_A)
        found, rendered = (real_space(expand(each, shells), shells) for each in pair)
        assert best_overlap(found, rendered) > 0.99, given.name
