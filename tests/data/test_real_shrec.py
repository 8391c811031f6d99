"""A simulated tomogram of another chain: maps turned by the poses read fit the boxes cut."""

import gzip
from pathlib import Path

import gemmi
import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.errors import DataError
from latentlaw.geometry.rotations import quaternion_to_matrix
from latentlaw.geometry.volumes import apply_fourier_mask, rotate_images, wedge_mask
from scipy.ndimage import gaussian_filter
from torch import Tensor

SIZE_A, BOX, TILT_RANGE = 10.0, 32, 60.0
QUATERNION = ["qw", "qx", "qy", "qz"]
# Classes without symmetry, or with little: a wrong pose shows.
STRUCTURES = {"3h84": True, "1u6g": True, "2cg9": True, "3d2f": False, "1aon": False}


@pytest.fixture(scope="module")
def stack(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ParticleStack:
    folder, work = shared_data / "tomograms" / "shrec_like", tmp_path_factory.mktemp("shrec")
    ingest_tomograms(folder / "reconstruction.mrc", work, scheduler="threads", chunk=64, levels=1)
    report = extract_particles(
        work,
        folder / "particle_locations.txt",
        work / "s.particles.zarr",
        pixel_size_a=SIZE_A,
        box=BOX,
        edge="pad",
    )
    assert report.extracted == 140
    return open_stack(report.path)


def density(path: Path, assembly: bool) -> Tensor:
    """Count the atoms in each voxel about their mean, and blur by about the resolution."""
    structure = gemmi.read_pdb_string(gzip.decompress(path.read_bytes()))
    if assembly:
        structure.transform_to_assembly("1", gemmi.HowToNameCopiedChain.Short)
    structure.remove_hydrogens()
    structure.remove_waters()
    atoms = np.array([site.atom.pos.tolist() for site in structure[0].all()])
    places = (atoms - atoms.mean(axis=0))[:, ::-1] / SIZE_A + BOX // 2 + 0.5
    counts = np.histogramdd(places, bins=[np.arange(BOX + 1)] * 3)[0]
    return torch.from_numpy(gaussian_filter(counts, 0.8)).float()


def likeness(template: Tensor, matrices: Tensor, boxes: Tensor) -> float:
    """Mean correlation of boxes `(n, 1, b, b, b)` with the template turned, wedge taken out."""
    posed = rotate_images(template.expand(len(boxes), 1, -1, -1, -1), matrices)
    posed = apply_fourier_mask(posed, wedge_mask((BOX,) * 3, TILT_RANGE))
    axes = torch.arange(BOX) - BOX // 2
    near = sum(a.square() for a in torch.meshgrid(axes, axes, axes, indexing="ij")) < 14**2
    pairs = zip(posed[:, 0, near], boxes[:, 0, near], strict=True)
    return float(np.mean([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]))


@pytest.mark.parametrize("name", STRUCTURES)
def test_posed_map_fits_its_boxes(shared_data: Path, stack: ParticleStack, name: str) -> None:
    template = density(shared_data / "structures" / f"{name}.pdb.gz", STRUCTURES[name])
    rows = np.flatnonzero(stack.table["label"] == name)
    boxes = -torch.from_numpy(stack.read(rows))  # protein is dark in the tomogram
    quaternions = stack.table[QUATERNION].to_numpy(dtype=np.float32)[rows]
    poses = quaternion_to_matrix(torch.from_numpy(quaternions))
    true = likeness(template, poses, boxes)
    assert true > likeness(template, poses.transpose(1, 2), boxes) + 0.1
    assert true > likeness(template, poses.roll(1, 0), boxes) + 0.1
    assert true > likeness(template, poses, boxes.roll(3, -1)) + 0.1


def test_locations_say_what_the_table_of_poses_says(shared_data: Path) -> None:
    folder = shared_data / "tomograms" / "shrec_like"
    read = read_coordinates(folder / "particle_locations.txt", pixel_size_a=SIZE_A)
    truth = pd.read_csv(folder / "particles.csv")
    assert read["label"].tolist() == truth["class"].tolist()
    np.testing.assert_array_equal(read[["x", "y", "z"]] / SIZE_A, truth[["x", "y", "z"]])
    overlap = (read[QUATERNION].to_numpy() * truth[QUATERNION].to_numpy()).sum(axis=1)
    np.testing.assert_allclose(np.abs(overlap), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1bxn 1 2 3 4 5\n", "class x y z Z1 X Z2"),
        ("", "class x y z Z1 X Z2"),
        ("1bxn 1 2 a 4 5 6\n", "cannot be read as SHREC particles"),
    ],
)
def test_bad_locations(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "particle_locations.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_coordinates(path, pixel_size_a=SIZE_A)
    with pytest.raises(DataError, match="pass pixel_size"):
        read_coordinates(path)
