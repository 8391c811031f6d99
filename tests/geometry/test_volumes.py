"""Rotation of images about voxel n//2, and the missing wedge."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.geometry.rotations import angle_to_matrix, random_rotations
from latentlaw.geometry.volumes import (
    apply_fourier_mask,
    frequencies_squared,
    gaussian_blur,
    rotate_images,
    wedge_mask,
    wedge_masks,
)


def test_quarter_turn_moves_an_impulse_on_x_to_y() -> None:
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 6] = 1  # two voxels along x from the centre
    turned = rotate_images(image, angle_to_matrix(torch.tensor([math.pi / 2])))
    assert float(turned[0, 0, 6, 4]) == pytest.approx(1, abs=1e-5)
    assert float(turned.sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_blur_spreads_an_impulse_to_a_gaussian_and_keeps_constants(dims: int) -> None:
    images = torch.zeros(2, 1, *[21] * dims)
    images[(slice(None), 0, *[10] * dims)] = 1
    sigmas = torch.tensor([0.8, 1.5])  # next to nothing reaches a face
    blurred = gaussian_blur(images, sigmas)
    along = blurred.sum(dim=tuple(range(2, 1 + dims)))[:, 0]
    apart = torch.arange(21) - 10
    gauss = torch.exp(-0.5 * (apart / sigmas[:, None]).square())
    torch.testing.assert_close(along, gauss / gauss.sum(dim=1, keepdim=True), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gaussian_blur(images[:1], sigmas[0]), blurred[:1])
    constant = torch.full_like(images, 7.0)
    torch.testing.assert_close(gaussian_blur(constant, sigmas), constant)


@pytest.mark.parametrize("sizes", [(8, 8), (9, 9), (8, 10), (8, 8, 8), (6, 8, 10)])
def test_identity_changes_nothing_and_the_centre_stays(sizes: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 1, *sizes, generator=generator)
    dims = len(sizes)
    torch.testing.assert_close(
        rotate_images(image, torch.eye(dims).expand(2, -1, -1)), image, atol=1e-5, rtol=0
    )
    turned = rotate_images(image, random_rotations(2, dims, generator))
    centre = tuple(size // 2 for size in sizes)
    for i in range(2):
        torch.testing.assert_close(
            turned[(i, 0, *centre)], image[(i, 0, *centre)], atol=1e-4, rtol=0
        )


def test_quarter_turn_about_z_of_a_volume() -> None:
    volume = torch.zeros(1, 1, 8, 8, 8)
    volume[0, 0, 5, 4, 6] = 1  # z + 1, x + 2
    about_z = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    turned = rotate_images(volume, about_z)
    assert float(turned[0, 0, 5, 6, 4]) == pytest.approx(1, abs=1e-5)


def test_wedge_measures_what_tilts_reach() -> None:
    mask = wedge_mask((16, 8, 16), 60)
    assert bool(mask[0].all())  # kz = 0 is the untilted slice
    assert not bool(mask[1:, :, 0].any())  # kx = 0 needs a tilt of 90 degrees
    # |kz| <= |kx| tan 60: at kx = 4/16 the limit is 6.9 of 16.
    assert bool(mask[6, 0, 4])
    assert not bool(mask[7, 0, 4])
    assert bool(wedge_mask((8, 8, 8), 90).all())


def test_tilt_steps_measure_slices_and_leave_gaps_between_them() -> None:
    edge, step = 64, 10
    mask = wedge_mask((edge, 4, edge), 60, step)
    assert bool(mask[0].all())
    kx = 20
    for tilt in range(-60, 61, step):
        kz = round(kx * math.tan(math.radians(tilt)))
        if abs(kz) < edge // 2:
            assert bool(mask[kz, 0, kx])
    # Half way between two slices, further apart than they are thick at this frequency.
    gap = kx * math.tan(math.radians(step / 2))
    assert not bool(mask[round(gap), 0, kx])
    # Near the origin slices overlap, and nothing is left out.
    filled = wedge_mask((edge, 4, edge), 60)
    assert bool((mask | ~filled)[:, :, :3].all())
    assert not bool((mask & ~wedge_mask((edge, 4, edge), 66))[:, :, 5:].any())


def test_frequencies_are_distances_from_the_origin() -> None:
    squared = frequencies_squared((8, 10, 12))
    assert squared.shape == (8, 10, 7)
    assert float(squared[2, 0, 0]) == pytest.approx((2 / 8) ** 2)
    assert float(squared[-1, 3, 2]) == pytest.approx((1 / 8) ** 2 + (3 / 10) ** 2 + (2 / 12) ** 2)


def test_fourier_mask_of_ones_changes_nothing() -> None:
    volume = torch.rand(6, 8, 7, generator=torch.Generator().manual_seed(0))
    kept = apply_fourier_mask(volume, torch.ones(6, 8, 4))
    torch.testing.assert_close(kept, volume, atol=1e-5, rtol=0)


def test_wedge_turns_with_the_microscope() -> None:
    swapped = torch.tensor([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])  # beam along x, across along z
    masks = wedge_masks(
        (8, 8, 8), torch.tensor([50.0, 50.0]), torch.stack((torch.eye(3), swapped))
    )
    upright, turned = masks[:, :5, :, :]
    torch.testing.assert_close(turned, upright.transpose(0, 2))


@given(st.integers(0, 2**32), st.sampled_from([(6, 8, 10), (7, 9, 5), (8, 8, 8), (5, 6, 7)]))
def test_nothing_is_left_in_any_wedge(seed: int, shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    frames = random_rotations(2, 3, generator)
    masks = wedge_masks(shape, 20 + 60 * torch.rand(2, generator=generator), frames)
    noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    spectrum = torch.fft.rfftn(apply_fourier_mask(noise, masks), dim=(1, 2, 3)).abs()
    assert float(spectrum[~masks].max()) < 1e-9
    assert bool(masks[:, 0, 0, 0].all())


@given(st.floats(5, 89), st.sampled_from([(6, 8, 10), (7, 9, 5), (9, 8, 8)]))
def test_one_wedge_and_many_agree(tilt_range: float, shape: tuple[int, int, int]) -> None:
    (mask,) = wedge_masks(shape, torch.tensor([tilt_range]), torch.eye(3)[None])
    torch.testing.assert_close(mask, wedge_mask(shape, tilt_range).contiguous())
