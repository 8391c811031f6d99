"""The entry `affinity`: any templates, one table, a picture; and what training makes of it."""

from pathlib import Path

import gemmi
import mlflow
import mrcfile
import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.errors import ConfigError, DataError
from latentlaw.priors.files import read_affinity
from latentlaw.priors.table import AffinityTable
from mlflow.tracking import MlflowClient

from pipelines.affinity import Affinity, compute, run
from pipelines.figures.affinity import affinity_heatmap
from pipelines.training.prior import Prior

SHAPES = ("barrel", "capped_barrel", "rod")


def write_structure(path: Path, points: np.ndarray) -> None:
    """Write points as C-alpha atoms."""
    structure = gemmi.Structure()
    chain = structure.add_model(gemmi.Model(1)).add_chain(gemmi.Chain("A"))
    for i, point in enumerate(points, start=1):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "ALA", gemmi.SeqId(str(i))
        atom = gemmi.Atom()
        atom.name, atom.element, atom.pos = "CA", gemmi.Element("C"), gemmi.Position(*point)
        residue.add_atom(atom)
        chain.add_residue(residue)
    structure.write_pdb(str(path))


@pytest.fixture
def atoms(tmp_path: Path) -> Path:
    folder = tmp_path / "atoms"
    folder.mkdir()
    for name in SHAPES:
        write_structure(folder / f"{name}.pdb", PHANTOMS[name]())
    return folder


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, box, voxel in zip(SHAPES, (32, 40, 40), (10.0, 8.0, 9.0), strict=True):
        write_mrc(folder / f"{name}.mrc", phantom_map(PHANTOMS[name](), box, voxel), voxel)
    return folder


def barrels_are_nearest(table: AffinityTable) -> bool:
    values = table.select(list(SHAPES)).values
    return bool(values[0, 1] > max(values[0, 2], values[1, 2]))


@pytest.mark.parametrize("method", ["soap", "harmonics", "correlation", "fsc"])
def test_every_method_takes_atomic_models(atoms: Path, method: str) -> None:
    assert barrels_are_nearest(compute(Affinity(templates=str(atoms), out="-", method=method)))


def test_a_run_writes_the_table_and_records_its_measures_and_picture(
    maps: Path, tmp_path: Path, tracking_store: MlflowClient
) -> None:
    parameters = Affinity(templates=str(maps), out=str(tmp_path / "a.csv"))
    table = read_affinity(run(parameters))
    np.testing.assert_allclose(table.values, compute(parameters).values)
    experiment = tracking_store.get_experiment_by_name("latentlaw")
    assert experiment is not None
    (found,) = tracking_store.search_runs([experiment.experiment_id])
    assert found.data.metrics["affinity/smallest_eigenvalue"] > -1e-9
    assert found.data.metrics["affinity/floor"] < 1e-6
    pictures = tracking_store.list_artifacts(found.info.run_id, "figures")
    assert [each.path for each in pictures] == ["figures/affinity.png"]


def test_maps_of_different_boxes_beside_an_atomic_model(maps: Path) -> None:
    (maps / "rod.mrc").unlink()
    write_structure(maps / "rod.cif.pdb", PHANTOMS["rod"]())
    (maps / "README.txt").write_text("not a template")
    table = compute(Affinity(templates=str(maps), out="-"))
    assert set(table.class_names) == set(SHAPES)
    assert barrels_are_nearest(table)


def test_voxel_size_that_no_header_gives_is_asked_for(maps: Path) -> None:
    for path, size in zip(sorted(maps.glob("*.mrc")), (0, 10, 10), strict=True):
        with mrcfile.open(path, "r+") as file:
            file.voxel_size = size
    with pytest.raises(DataError, match=r"barrel\.mrc: found voxel size .* pass voxel_size"):
        compute(Affinity(templates=str(maps), out="-"))
    table = compute(Affinity(templates=str(maps), out="-", voxel_size=10))
    assert set(table.class_names) == set(SHAPES)


def test_soap_of_a_map_is_refused(maps: Path) -> None:
    message = r"barrel\.mrc: found a density map, expected an atomic model"
    with pytest.raises(ConfigError, match=message):
        compute(Affinity(templates=str(maps), out="-", method="soap"))


def test_two_files_of_a_class_are_refused(maps: Path) -> None:
    write_structure(maps / "rod.pdb", PHANTOMS["rod"]())
    with pytest.raises(DataError, match=r"rod\.pdb: found rod\.mrc of class 'rod'"):
        compute(Affinity(templates=str(maps), out="-"))


def test_folder_without_templates_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: found no template, expected a folder"):
        compute(Affinity(templates=str(tmp_path / "nowhere"), out="-"))


def test_heatmap_puts_like_classes_side_by_side() -> None:
    values = np.eye(4)
    values[0, 2] = values[2, 0] = values[1, 3] = values[3, 1] = 0.9
    axes = affinity_heatmap(AffinityTable(tuple("abcd"), values)).axes[0]
    order = [label.get_text() for label in axes.get_xticklabels()]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}
    assert [label.get_text() for label in axes.get_yticklabels()] == order
    assert axes.images[0].get_array()[0, 1] == 0.9


@pytest.mark.parametrize(("projection", "kept"), [("nearest", False), ("none", True)])
def test_training_says_what_it_made_of_a_table_that_no_cosines_meet(
    tmp_path: Path,
    tracking_store: MlflowClient,
    capsys: pytest.CaptureFixture[str],
    projection: str,
    kept: bool,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,-.9,-.8\n-.9,1,-.9\n-.7,-.9,1\n")
    prior = Prior.read(path, ["a", "b", "c"], projection)
    with mlflow.start_run() as active:
        prior.log()
    metrics = tracking_store.get_run(active.info.run_id).data.metrics
    assert np.array_equal(prior.used.values, read_affinity(path).values) == kept
    assert metrics["affinity/asymmetry"] == pytest.approx(0.1)
    assert metrics["affinity/floor"] == pytest.approx(0.35, abs=0.02)
    assert ("trained on the nearest table" in capsys.readouterr().err) != kept
