"""Simulated tomograms hold what their truth says, from the draw to the particles taken out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.formats.mrc import open_mrc
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.simulation.microscope import Acquisition
from latentlaw.data.simulation.rendering import Volume, support_radius
from latentlaw.data.simulation.simulate import draw_particles, simulate, simulate_tomogram
from latentlaw.data.simulation.templates import phantom_templates
from latentlaw.data.star.reading import read_star
from latentlaw.data.tomograms.ingest import ingest_tomograms
from latentlaw.errors import ConfigError
from latentlaw.geometry.rotations import quaternion_to_matrix, random_quaternions
from latentlaw.geometry.volumes import rotate_images
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kstest

PHANTOMS = phantom_templates(32, 10.0)
# Of different boxes; none has a symmetry, so that one pose alone fits.
TEMPLATES = {"antibody": PHANTOMS["antibody"], "bilobe": PHANTOMS["bilobe"][3:30, 3:30, 3:30]}
QUATERNION = ["qw", "qx", "qy", "qz"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def acquisition(snr: float, tilt: float = 60) -> Acquisition:
    return Acquisition((48, 96, 96), 10.0, snr, tilt)


def turned(template: Volume, quaternion: torch.Tensor) -> Volume:
    """Turn by linear interpolation, which is independent of the simulation's splines."""
    matrix = quaternion_to_matrix(quaternion.float())[None]
    return rotate_images(torch.from_numpy(template.copy())[None, None], matrix)[0, 0].numpy()


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Pearson's within the sphere that holds the second, where no other particle is."""
    axes = [np.arange(n) - n // 2 for n in second.shape]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = z**2 + y**2 + x**2 <= support_radius(second) ** 2
    return float(np.corrcoef(first[inside], second[inside])[0, 1])


def box_at(volume: NDArray[np.floating], centre: list[int], shape: tuple[int, ...]) -> Volume:
    """Cut a box with voxel n//2 at `centre`, zero beyond the faces."""
    padded = np.pad(volume, 32)
    low = np.array(centre) + 32 - np.array(shape) // 2
    return padded[tuple(map(slice, low, low + shape))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nearly noiseless tomograms of all angles, with their truth."""
    out = tmp_path_factory.mktemp("simulate") / "out"
    simulate(
        TEMPLATES, out, acquisition(20, tilt=90), tomograms=2, particles=12, generator=seeded()
    )
    return out


def test_no_two_particles_overlap_and_classes_take_turns() -> None:
    drawn = draw_particles("t", TEMPLATES, acquisition(1), particles=12, generator=seeded())
    radii = np.array([support_radius(TEMPLATES[label]) for label in drawn["label"]])
    gaps = squareform(pdist(drawn[["z", "y", "x"]] / 10)) - np.add.outer(radii, radii)
    np.fill_diagonal(gaps, 0)
    assert gaps.min() >= 0
    assert drawn["label"].value_counts().to_dict() == {"antibody": 6, "bilobe": 6}
    assert drawn["particle_id"].is_unique


def test_poses_are_uniform_on_so3() -> None:
    dot = {"dot": np.ones((1, 1, 1), np.float32)}
    drawn = draw_particles("t", dot, acquisition(1), particles=1000, generator=seeded())
    q = drawn[QUATERNION].to_numpy()
    # The angle of a uniform rotation has density (1 - cos a) / pi, its axis is uniform.
    angles = 2 * np.arccos(np.clip(q[:, 0], -1, 1))
    assert kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > 0.01
    for axis in (q[:, 1:] / np.linalg.norm(q[:, 1:], axis=1, keepdims=True)).T:
        assert kstest(axis, "uniform", args=(-1, 2)).pvalue > 0.01


def test_a_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        simulate(
            TEMPLATES,
            tmp_path / name,
            acquisition(0.1),
            tomograms=1,
            particles=4,
            generator=seeded(seed),
        )
    for file in ("tomograms/tomo_000.mrc", "particles.star"):
        a, b, c = (tmp_path.joinpath(name, file).read_bytes() for name in "abc")
        assert _without_date(a) == _without_date(b) != _without_date(c)


def _without_date(content: bytes) -> bytes:
    """Leave out an MRC header's labels and a STAR file's first line, which hold dates."""
    if content[208:212] == b"MAP ":
        return content[:224] + content[1024:]
    return content.split(b"\n", 1)[1]


def test_the_pose_in_the_star_file_aligns_the_template(folder: Path) -> None:
    truth = read_star(folder / "particles.star")
    other = random_quaternions(len(truth), seeded(9))
    for i, row in truth.iterrows():
        template = open_mrc(folder / "templates" / f"{row['label']}.mrc").data
        tomogram = open_mrc(folder / "tomograms" / f"{row['tomogram']}.mrc").data
        centre = [round(row[axis] / 10) for axis in "zyx"]
        box = box_at(np.asarray(tomogram), centre, template.shape)
        pose = torch.tensor([row[name] for name in QUATERNION])
        assert correlation(box, turned(template, pose)) > 0.97
        assert correlation(box, turned(template, other[int(str(i))])) < 0.95


def test_particles_taken_out_and_turned_back_average_to_their_template(
    folder: Path, tmp_path: Path
) -> None:
    ingest_tomograms(folder / "tomograms", tmp_path, scheduler="threads")
    report = extract_particles(
        tmp_path, folder / "particles.star", tmp_path / "s.particles.zarr", edge="pad",
        scheduler="threads",
    )  # fmt: skip
    assert report.extracted == 24
    stack = open_stack(report.path)
    images, poses = stack.read()[:, 0], stack.table[QUATERNION].to_numpy(dtype=np.float64)
    backward = torch.from_numpy(poses * (1, -1, -1, -1))
    for label, template in PHANTOMS.items():
        mine = np.flatnonzero(stack.table["label"] == label)
        if len(mine):
            average = np.mean([turned(images[i], backward[i]) for i in mine], axis=0)
            assert correlation(average, template) > 0.95


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        simulate(
            TEMPLATES, tmp_path / "out", acquisition(1), tomograms=1, particles=1,
            generator=seeded(),
        )  # fmt: skip


def test_the_volume_is_the_same_as_the_one_in_memory(folder: Path) -> None:
    made = simulate_tomogram(
        "tomo_000", TEMPLATES, acquisition(20, tilt=90), particles=12, generator=seeded()
    )
    written = open_mrc(folder / "tomograms" / "tomo_000.mrc")
    np.testing.assert_array_equal(written.data, made.volume)
    assert written.voxel_size_a == 10
