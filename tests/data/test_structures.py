"""Atomic structures: the atoms that count, centred, and maps that hold their electrons."""

import csv
import gzip
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.formats.structures import Structure, read_structure, structure_map
from latentlaw.errors import ConfigError, DataError

DIMER = """\
REMARK 350 BIOMOLECULE: 1
REMARK 350 APPLY THE FOLLOWING TO CHAINS: A
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000       20.00000
REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000
REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000
ATOM      1  CA  GLY A   1       0.000   0.000   6.000  1.00 20.00           C
ATOM      2  HA  GLY A   1       9.000   0.000   0.000  1.00 20.00           H
ATOM      3  O  AGLY A   1       4.000   0.000   0.000  0.60 20.00           O
ATOM      4  O  BGLY A   1       5.000   0.000   0.000  0.40 20.00           O
HETATM    5  O   HOH A   2      30.000   0.000   0.000  1.00 20.00           O
END
"""


@pytest.fixture
def dimer(tmp_path: Path) -> Path:
    path = tmp_path / "dimer.pdb"
    path.write_text(DIMER)
    return path


def one_carbon() -> Structure:
    return Structure("carbon", np.zeros((1, 3)), np.array([6]))


def test_assembly_is_expanded_then_stripped_and_centred(dimer: Path) -> None:
    structure = read_structure(dimer)
    assert structure.name == "dimer"
    assert sorted(structure.atomic_numbers) == [6, 6, 8, 8]
    carbon, oxygen = 12.011, 15.999
    z = 6 * carbon / (carbon + oxygen)
    expected = {(-10, 0, 6 - z), (10, 0, 6 - z), (-6, 0, -z), (6, 0, -z)}
    found = {tuple(row) for row in structure.positions_a.round(2)}
    assert found == {tuple(np.round(row, 2)) for row in expected}


def test_coordinates_as_deposited(dimer: Path) -> None:
    assert sorted(read_structure(dimer, assembly="deposited").atomic_numbers) == [6, 8]


def test_pdb_mmcif_and_gzip_say_the_same(dimer: Path, tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(dimer))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "dimer.cif"))
    packed = tmp_path / "dimer.cif.gz"
    packed.write_bytes(gzip.compress((tmp_path / "dimer.cif").read_bytes()))
    first, second = read_structure(dimer), read_structure(packed)
    assert first.name == second.name
    np.testing.assert_allclose(first.positions_a, second.positions_a, atol=1e-9)


def test_assembly_that_is_not_listed_is_named(dimer: Path) -> None:
    with pytest.raises(
        DataError, match=r"dimer\.pdb: found no biological assembly '2', expected one of 1; name"
    ):
        read_structure(dimer, assembly="2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdb", b"no atoms here", "found no atoms"),
        ("a.pdb", b"HEADER    CHAPERONE\n", "found no atoms"),
        ("a.cif", b"data_x\n_cell.length_a 10\n", "found no atoms"),
        ("a.cif", b"\x00\x01not a cif", "found no atoms"),
        (
            "a.cif",
            b"data_x\nloop_\n_atom_site.id\n_atom_site.type_symbol\n1 C 2",
            "cannot be read",
        ),
        ("a.pdb.gz", gzip.compress(DIMER.encode())[:-40], "cannot be read"),
        ("a.pdb", DIMER.replace("   6.000", "     NaN").encode(), r"nan\], expected x y z"),
        ("a.pdb", DIMER.replace("GLY A", "HOH A").encode(), "no atom beside hydrogens"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_structure(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.cif\.gz: cannot be read"):
        read_structure(tmp_path / "absent.cif.gz")


@pytest.mark.parametrize("box", [16, 17])
def test_map_holds_the_electrons_about_the_centre_voxel(box: int) -> None:
    volume = structure_map(one_carbon(), voxel_size_a=4.0, box=box)
    assert volume.dtype == np.float32
    assert volume.sum() * 4**3 == pytest.approx(6, rel=1e-5)
    assert np.unravel_index(volume.argmax(), volume.shape) == (box // 2,) * 3
    centre = np.indices(volume.shape).reshape(3, -1) @ volume.ravel() / volume.sum()
    np.testing.assert_allclose(centre, box // 2, atol=1e-4)


@pytest.mark.parametrize(("resolution", "tolerance"), [(10.0, 0.05), (24.0, 0.005)])
def test_width_of_an_atom_is_that_of_the_resolution(resolution: float, tolerance: float) -> None:
    volume = structure_map(one_carbon(), voxel_size_a=5.0, box=32, resolution_a=resolution)
    profile = volume.sum(axis=(1, 2)) / volume.sum()
    variance = profile @ ((np.arange(32) - 16) * 5.0) ** 2
    # The voxel's own width adds its square over twelve.
    assert variance == pytest.approx(resolution**2 / (2 * np.pi**2) + 25 / 12, rel=tolerance)


@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
def test_an_atom_off_the_centre_is_where_the_map_says(position: list[float]) -> None:
    structure = Structure("atom", np.array([position]), np.array([6]))
    volume = structure_map(structure, voxel_size_a=5.0, box=32)
    z, y, x = np.indices(volume.shape).reshape(3, -1) @ volume.ravel() / volume.sum()
    np.testing.assert_allclose(((x - 16) * 5, (y - 16) * 5, (z - 16) * 5), position, atol=0.2)


def test_own_box_is_even_and_holds_every_atom() -> None:
    structure = Structure("rod", np.array([[-40.0, 0, 0], [40.0, 0, 0]]), np.array([6, 6]))
    volume = structure_map(structure, voxel_size_a=5.0)
    assert volume.shape[0] % 2 == 0
    assert volume.sum() * 5**3 == pytest.approx(12, rel=1e-3)
    with pytest.raises(
        DataError, match=r"rod: found a box of 16 .* expected at least 20 for a reach of 40"
    ):
        structure_map(structure, voxel_size_a=5.0, box=16)


@pytest.mark.parametrize(("voxel_size", "resolution"), [(0.0, 5.0), (5.0, 9.0), (5.0, np.inf)])
def test_resolution_that_voxels_cannot_show_is_refused(
    voxel_size: float, resolution: float
) -> None:
    with pytest.raises(ConfigError, match="two voxels or coarser"):
        structure_map(one_carbon(), voxel_size_a=voxel_size, resolution_a=resolution)


def test_real_structures_have_the_atoms_and_size_of_their_table(shared_data: Path) -> None:
    folder = shared_data / "structures"
    with (folder / "structures.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["heavy_atoms"]) < 100_000]
    assert len(rows) == 24
    for row in rows:
        biological = row["unit_to_use"].startswith("biological assembly")
        structure = read_structure(
            folder / row["file"], assembly="auto" if biological else "deposited"
        )
        assert len(structure.atomic_numbers) == int(row["heavy_atoms"]), row["id"]
        gyration = np.sqrt((structure.positions_a**2).sum(axis=1).mean())
        assert gyration == pytest.approx(float(row["rg_A"]), abs=0.2), row["id"]
