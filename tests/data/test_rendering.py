"""Rendering: a posed map is where, and turned as, its row says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.simulation.phantoms import PHANTOMS, phantom_map
from latentlaw.data.simulation.rendering import Volume, render_particles, support_radius
from scipy.spatial.transform import Rotation

SHAPE = (40, 48, 56)
IDENTITY = (1.0, 0.0, 0.0, 0.0)


Place = tuple[float, float, float]


def rows(*particles: tuple[Place, tuple[float, ...]]) -> pd.DataFrame:
    values = [("a", *(10.0 * np.array(place)), *pose) for place, pose in particles]
    return pd.DataFrame(values, columns=["label", "z", "y", "x", "qw", "qx", "qy", "qz"])


def render(template: Volume, *particles: tuple[Place, tuple[float, ...]]) -> Volume:
    return render_particles(rows(*particles), {"a": template}, SHAPE, 10.0)


def blob(shape: tuple[int, int, int], at: tuple[float, float, float]) -> Volume:
    """A Gaussian of 1.5 voxels at `at` zyx from voxel n//2."""
    grid = np.indices(shape).transpose(1, 2, 3, 0) - np.array(shape) // 2 - np.array(at)
    return np.exp(-0.5 * (grid**2).sum(axis=3) / 1.5**2).astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 17, 17), (12, 15, 18)])
@given(st.tuples(st.integers(10, 29), st.integers(10, 37), st.integers(10, 45)))
def test_unturned_map_is_copied_exactly(
    shape: tuple[int, int, int], place: tuple[int, int, int]
) -> None:
    template = blob(shape, (1, -2, 3)) + 0.5 * blob(shape, (0, 0, -1))
    template[template < 1e-2] = 0
    expected = np.zeros(SHAPE, np.float32)
    low = np.array(place) - np.array(shape) // 2
    expected[tuple(map(slice, low, low + shape))] = template
    np.testing.assert_allclose(render(template, (place, IDENTITY)), expected, atol=1e-6)


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_density_at_p_goes_to_r_p(pose: list[float], rest: Place) -> None:
    p = np.array((4.0, -3.0, 2.0))  # x y z
    centre = np.array((20, 24, 28)) + rest
    found = render(blob((20, 20, 20), (2, -3, 4)), (tuple(centre), tuple(pose)))
    turned = Rotation.from_quat(pose, scalar_first=True).apply(p)[::-1]
    grid = np.indices(SHAPE).transpose(1, 2, 3, 0)
    expected = np.exp(-0.5 * ((grid - centre - turned) ** 2).sum(axis=3) / 1.5**2)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_particles_add_up_and_are_cut_at_faces() -> None:
    template = blob((9, 9, 9), (0, 0, 0))
    corner = render(template, ((0, 0, 0), IDENTITY))
    np.testing.assert_allclose(corner[:5, :5, :5], template[4:, 4:, 4:], atol=2e-3)
    both = render(template, ((0, 0, 0), IDENTITY), ((20, 20, 20), IDENTITY))
    apart = render(template, ((20, 20, 20), IDENTITY))
    np.testing.assert_allclose(both, corner + apart, atol=1e-6)


def test_a_box_that_cuts_close_loses_nothing_by_turning() -> None:
    template = phantom_map(PHANTOMS["rod"](), 32, 10.0)
    tight = template[2:31, 8:25, 8:25]  # voxel 16 is voxel n//2 of each edge
    pose = tuple(Rotation.from_euler("y", 90, degrees=True).as_quat(scalar_first=True))
    place = ((20, 24, 28), pose)
    np.testing.assert_allclose(render(tight, place), render(template, place), atol=1e-2)


def test_support_reaches_the_far_side_of_the_farthest_bright_voxel() -> None:
    template = np.zeros((9, 9, 9), np.float32)
    template[4, 4, 4] = 1
    assert support_radius(template) == 0.5
    template[4, 1, 8] = 0.2
    assert support_radius(template) == pytest.approx(5.5)
    template[0, 0, 0] = 0.05  # the faint rim takes up no room
    assert support_radius(template) == pytest.approx(5.5)
