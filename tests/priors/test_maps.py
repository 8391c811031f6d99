"""Affinity of maps and atoms: the same however they lie, and near for near relatives."""

import numpy as np
import pytest
import torch
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.errors import DataError
from latentlaw.geometry.rotations import random_rotations
from latentlaw.priors.maps import MapMethod, map_affinity
from latentlaw.priors.shells import DensityMap
from latentlaw.priors.soap import soap_affinity
from latentlaw.priors.table import AffinityTable

METHODS: tuple[MapMethod, ...] = ("harmonics", "correlation", "fsc")


def phantoms(*, voxel: float = 10.0, box: int = 32, turned: int | None = None) -> list[DensityMap]:
    """Render the phantoms, turned at random where a seed is given."""
    turns = (
        random_rotations(len(PHANTOMS), 3, torch.Generator().manual_seed(turned)).numpy()
        if turned is not None
        else [np.eye(3)] * len(PHANTOMS)
    )
    return [
        DensityMap(name, phantom_map(make() @ turn.T, box, voxel), voxel)
        for (name, make), turn in zip(PHANTOMS.items(), turns, strict=True)
    ]


def nearest(table: AffinityTable, name: str) -> str:
    """Name the class most like `name`."""
    row = table.values[table.class_names.index(name)].copy()
    row[table.class_names.index(name)] = -np.inf
    return table.class_names[row.argmax()]


@pytest.mark.parametrize("method", METHODS)
def test_table_does_not_change_when_maps_are_turned(method: MapMethod) -> None:
    before = map_affinity(phantoms(), method, resolution_a=30)
    after = map_affinity(phantoms(turned=3), method, resolution_a=30)
    np.testing.assert_allclose(after.values, before.values, atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_maps_of_other_boxes_and_voxels_are_comparable(method: MapMethod) -> None:
    maps = phantoms()
    mixed = [*maps[:2], *phantoms(voxel=7.0, box=53)[2:4], *phantoms(voxel=9.0, box=40)[4:]]
    expected = map_affinity(maps, method, resolution_a=40).values
    found = map_affinity(mixed, method, resolution_a=40).values
    # Fourier shells in which the hollow shell has nearly no signal show the voxels.
    np.testing.assert_allclose(found, expected, atol=0.08 if method == "fsc" else 0.02)


def test_place_in_the_box_and_scale_of_density_do_not_matter() -> None:
    maps = phantoms(box=40)
    moved = [
        DensityMap(each.name, 7 * np.roll(each.density, (3, -2, 1), axis=(0, 1, 2)), 10.0)
        for each in maps
    ]
    expected = map_affinity(maps, "harmonics", resolution_a=40).values
    found = map_affinity(moved, "harmonics", resolution_a=40).values
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_near_relatives_are_nearest(method: MapMethod) -> None:
    table = map_affinity(phantoms(), method, resolution_a=30)
    assert nearest(table, "barrel") == "capped_barrel"
    assert table.smallest_eigenvalue > -1e-9
    assert table.floor < 1e-6


def atoms(turned: int | None = None) -> dict[str, np.ndarray]:
    """Return the phantoms as atoms about their centres of mass."""
    turn = (
        np.eye(3)
        if turned is None
        else random_rotations(1, 3, torch.Generator().manual_seed(turned))[0].numpy()
    )
    return {name: (make() - make().mean(axis=0)) @ turn.T for name, make in PHANTOMS.items()}


def test_soap_does_not_change_when_molecules_are_turned() -> None:
    before = soap_affinity(atoms(), resolution_a=30)
    after = soap_affinity(atoms(turned=5), resolution_a=30)
    np.testing.assert_allclose(after.values, before.values, atol=1e-4)
    assert before.smallest_eigenvalue > -1e-9


def test_soap_puts_the_barrels_together() -> None:
    table = soap_affinity(atoms(), resolution_a=30)
    assert nearest(table, "barrel") == "capped_barrel"


@pytest.mark.parametrize(
    "density",
    [np.zeros((8, 8, 8)), -np.ones((8, 8, 8)), np.full((8, 8, 8), np.nan), np.ones((8, 8))],
)
def test_map_without_density_is_named(density: np.ndarray) -> None:
    maps = [*phantoms()[:2], DensityMap("bad", density, 10.0)]
    with pytest.raises(DataError, match=r"found no positive density.* in map 'bad' of shape"):
        map_affinity(maps, "harmonics", resolution_a=40)


def test_two_shapes_have_no_similarity_relative_to_their_mean() -> None:
    with pytest.raises(DataError, match=r"found 2 shapes \(antibody, barrel\), expected three"):
        map_affinity(phantoms()[:2], "harmonics", resolution_a=40)


def test_shapes_that_are_all_the_same_are_refused() -> None:
    same = [DensityMap(name, phantoms()[0].density, 10.0) for name in "abc"]
    with pytest.raises(DataError, match="found template 'a' no other than the mean of all 3"):
        map_affinity(same, "correlation", resolution_a=40)
