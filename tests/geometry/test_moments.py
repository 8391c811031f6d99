import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latentlaw.geometry.moments import align_by_moments, principal_axes
from latentlaw.geometry.rotations import angle_to_matrix
from latentlaw.geometry.volumes import rotate_images

_SIDE = 48


def cell(turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), mirror: bool = False):
    """A bright head and two unlike tails, so that no axis is like another, nor its own reverse."""
    axis = torch.arange(_SIDE, dtype=torch.float64) - _SIDE // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    matrix = angle_to_matrix(torch.tensor([turn], dtype=torch.float64))[0]
    image = torch.zeros_like(x)
    for cx, cy, sigma, height in ((-4, -1, 2.5, 1.0), (8, 1, 3.0, 0.5), (1, 5, 2.5, 0.4)):
        centre = matrix @ torch.tensor([cx, -cy if mirror else cy], dtype=torch.float64)
        apart = (x - shift[0] - centre[0]) ** 2 + (y - shift[1] - centre[1]) ** 2
        image += height * torch.exp(-apart / (2 * sigma**2))
    return image[None, None]


@given(
    turn=st.floats(0, 2 * math.pi),
    x=st.floats(-5, 5),
    y=st.floats(-5, 5),
    mirror=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_a_moved_turned_or_mirrored_cell_is_the_same_cell(turn, x, y, mirror):
    moved = align_by_moments(cell(turn, (x, y), mirror), flip=True)
    # Linear interpolation blurs; the wrong way round, the largest difference is above 0.4.
    torch.testing.assert_close(moved, align_by_moments(cell(), flip=True), atol=0.06, rtol=0)


def test_chirality_is_kept_where_mirror_images_differ():
    left, right = (align_by_moments(cell(mirror=m), flip=False) for m in (False, True))
    assert (left - right).abs().max() > 0.2
    turned = align_by_moments(cell(2.0, (3.0, -4.0)), flip=False)
    torch.testing.assert_close(turned, left, atol=0.06, rtol=0)


def test_the_longest_axis_lies_along_x_and_light_is_in_the_centre():
    axis = torch.arange(_SIDE, dtype=torch.float64) - _SIDE // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    upright = torch.exp(-((x - 4) ** 2 / (2 * 2.0**2) + (y + 7) ** 2 / (2 * 5.0**2)))
    light = align_by_moments(upright[None, None], flip=True)[0, 0]
    share = light / light.sum()
    assert float((share * x).sum()) == pytest.approx(0, abs=0.01)
    assert float((share * y).sum()) == pytest.approx(0, abs=0.01)
    assert float((share * x**2).sum()) == pytest.approx(25, rel=0.03)
    assert float((share * y**2).sum()) == pytest.approx(4, rel=0.15)  # interpolation blurs


def test_a_volume_is_aligned_too():
    generator = torch.Generator().manual_seed(0)
    volume = torch.zeros(1, 1, 24, 24, 24)
    volume[0, 0, 10:14, 8:16, 4:20] = 1
    volume[0, 0, 10:14, 8:12, 14:20] += 1
    volume[0, 0, 12:14, 12:16, 14:20] += 1
    turn = torch.tensor([[[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]])  # x to y, y to z, z to x
    wanted = align_by_moments(volume, flip=False)
    torch.testing.assert_close(
        align_by_moments(rotate_images(volume, turn), flip=False), wanted, atol=1e-3, rtol=0
    )
    noise = torch.rand(1, 1, 24, 24, 24, generator=generator)
    assert (align_by_moments(noise, flip=False) - wanted).abs().max() > 0.5


def test_a_neighbour_at_the_edge_and_a_background_pull_little():
    alone = align_by_moments(cell(0.7, (2.0, -3.0)), flip=True)
    crowded = cell(0.7, (2.0, -3.0))
    crowded[..., 44:, 32:36] += 0.6
    found = align_by_moments(crowded + 0.3, flip=True) - 0.3
    middle = (..., slice(14, 34), slice(14, 34))
    assert (found[middle] - alone[middle]).abs().mean() < 0.02


def test_a_constant_image_stays_as_it_is():
    images = torch.cat((torch.zeros(1, 1, 9, 9), -torch.ones(1, 1, 9, 9)))
    torch.testing.assert_close(align_by_moments(images, flip=True), images)


@pytest.mark.parametrize("dims", [2, 3])
def test_principal_axes_are_rotations_to_sorted_eigenvalues(dims):
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(500, dims, dims, generator=generator, dtype=torch.float64)
    factors[100:200, 0] = 0  # an eigenvalue is 0
    factors[200:300] *= torch.tensor([1e-4, 1.0, 1e3], dtype=torch.float64)[:dims]
    matrices = factors @ factors.mT
    matrices[300] = torch.eye(dims)
    matrices[301] = 0
    matrices[302:304] = torch.diag(torch.arange(1.0, dims + 1)).double()  # the wrong way round
    axes = principal_axes(matrices)
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(500).double())
    scale = matrices.abs().amax((1, 2), keepdim=True).clamp_min(1e-300)
    wanted = torch.diag_embed(torch.linalg.eigvalsh(matrices).flip(-1))
    found = axes.mT @ matrices @ axes
    torch.testing.assert_close(found / scale, wanted / scale, atol=1e-12, rtol=0)
    single = principal_axes(matrices.float())
    torch.testing.assert_close(single.mT @ single, torch.eye(dims).expand(500, -1, -1))
