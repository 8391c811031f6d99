"""Templates: maps of any voxel size and atomic models end up at one voxel size, as they were."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.data.simulation.rendering import Volume
from latentlaw.data.simulation.templates import phantom_templates, read_templates, select_classes
from latentlaw.errors import ConfigError, DataError
from numpy.typing import NDArray


def blob(box: int, voxel_size_a: float, centre_a: tuple[float, float, float]) -> Volume:
    """A Gaussian of 25 angstrom at `centre_a` zyx from voxel n//2."""
    grid = (np.indices((box,) * 3).transpose(1, 2, 3, 0) - box // 2) * voxel_size_a
    return np.exp(-0.5 * ((grid - centre_a) ** 2).sum(axis=3) / 25**2).astype(np.float32)


def unit(density: NDArray[np.floating]) -> NDArray[np.floating]:
    return density / density[density > 0.1 * density.max()].mean()


def test_maps_keep_their_boxes_and_are_scaled_to_one_density(tmp_path: Path) -> None:
    small, large = blob(20, 10, (0, 0, 0)), blob(31, 10, (5, 0, 9))
    write_mrc(tmp_path / "small.mrc", small, 10)
    write_mrc(tmp_path / "large.mrc", 200 * large, 10)
    (tmp_path / "large.mrc.gz").write_bytes(gzip.compress((tmp_path / "large.mrc").read_bytes()))
    (tmp_path / "large.mrc").unlink()
    (tmp_path / "README.md").write_text("what this is")
    found = read_templates(tmp_path, voxel_size_a=10)
    assert list(found) == ["large", "small"]
    np.testing.assert_allclose(found["small"], unit(small), rtol=1e-5)
    np.testing.assert_allclose(found["large"], unit(large), rtol=1e-5)


@pytest.mark.parametrize("header_a", [6.0, 7.84, 12.5])
def test_a_map_of_another_voxel_size_is_resampled_about_its_centre(
    tmp_path: Path, header_a: float
) -> None:
    centre = (20.0, -30.0, 40.0)
    write_mrc(tmp_path / "a.mrc", blob(45, header_a, centre), header_a)
    found = read_templates(tmp_path, voxel_size_a=10)["a"]
    expected = unit(blob(len(found), 10, centre))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
    grid = (np.indices(found.shape).reshape(3, -1) - np.array(found.shape)[:, None] // 2) * 10
    np.testing.assert_allclose(grid @ found.ravel() / found.sum(), centre, atol=0.2)


def test_an_unknown_voxel_size_is_the_one_asked_for(tmp_path: Path) -> None:
    volume = blob(20, 10, (0, 0, 0))
    write_mrc(tmp_path / "a.mrc", volume, 10)
    raw = bytearray((tmp_path / "a.mrc").read_bytes())
    raw[40:52] = bytes(12)  # cella
    (tmp_path / "a.mrc").write_bytes(raw)
    np.testing.assert_allclose(
        read_templates(tmp_path, voxel_size_a=7)["a"], unit(volume), rtol=1e-5
    )


def test_what_is_no_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no template"):
        read_templates(tmp_path, voxel_size_a=10)
    write_mrc(tmp_path / "dark.mrc", -blob(20, 10, (0, 0, 0)), 10)
    with pytest.raises(DataError, match=r"dark\.mrc.*protein bright"):
        read_templates(tmp_path, voxel_size_a=10)
    (tmp_path / "dark.mrc").unlink()
    write_mrc(tmp_path / "tiny.mrc", blob(20, 10, (0, 0, 0)), 0.5)
    with pytest.raises(DataError, match=r"tiny\.mrc.*voxel size"):
        read_templates(tmp_path, voxel_size_a=10)
    (tmp_path / "tiny.pdb").write_text("")
    with pytest.raises(DataError, match=r"tiny\.pdb: found tiny\.mrc of class 'tiny' too"):
        read_templates(tmp_path, voxel_size_a=10)


def test_classes_are_chosen_by_exact_name() -> None:
    found = {"1bxn": 1, "1qvr": 2}
    assert select_classes(found, ("1qvr",), "here") == {"1qvr": 2}
    assert select_classes(found, (), "here") == found
    with pytest.raises(ConfigError, match=r"no template '1BXN' in here \(did you mean '1bxn'"):
        select_classes(found, ("1BXN",), "here")


def test_phantoms_are_rendered_at_the_asked_size() -> None:
    found = phantom_templates(16, 20.0)
    assert set(found) == set(PHANTOMS)
    np.testing.assert_array_equal(found["shell"], phantom_map(PHANTOMS["shell"](), 16, 20.0))


def test_a_real_map_and_the_model_it_was_made_of_agree(shared_data: Path) -> None:
    name = "2cg9"  # one whose biological assembly is what PolNet's map shows
    spectra, norms = [], []
    for folder in ("templates_10A", "structures"):
        found = read_templates(shared_data / folder, voxel_size_a=10, classes=[name])[name]
        spectra.append(np.fft.fftn(found, s=(64, 64, 64), axes=(0, 1, 2)))
        norms.append(np.linalg.norm(found))
    correlation = np.fft.ifftn(spectra[0] * spectra[1].conj()).real / np.prod(norms)
    assert correlation.max() > 0.95  # wherever the model's file has its origin
