"""Missing wedges of turned volumes, where what is left is known."""

import pytest
import torch
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images, wedge_mask
from latentlaw.geometry.wedges import Wedges, apply_wedges


def noise(n: int, shape: tuple[int, int, int] = (9, 9, 9)) -> torch.Tensor:
    return torch.randn(n, 1, *shape, generator=torch.Generator().manual_seed(0)).double()


def test_what_is_taken_away_once_is_not_there_to_be_taken_again() -> None:
    frames = random_rotations(6, 3, torch.Generator().manual_seed(1)).view(3, 2, 3, 3)
    wedges = Wedges(torch.tensor([[60.0, 70], [50, 80], [40, 90]]), frames)
    once = apply_wedges(noise(3, (8, 9, 10)), wedges)
    torch.testing.assert_close(apply_wedges(once, wedges), once)


def test_a_full_tilt_range_takes_nothing() -> None:
    volumes = noise(2)
    torch.testing.assert_close(apply_wedges(volumes, Wedges.unturned(2, 90)), volumes)


def test_an_unturned_wedge_is_the_microscopes() -> None:
    mask = Wedges.unturned(1, 60).masks((9, 8, 7))[0]
    torch.testing.assert_close(mask, wedge_mask((9, 8, 7), 60).contiguous())


def test_a_wedge_turns_with_its_volume() -> None:
    """A quarter turn about any axis is exact on a cubic grid of odd size."""
    quarters = torch.tensor(
        [
            [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
            [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
            [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        ]
    ).double()
    volumes, wedges = noise(3), Wedges.unturned(3, 55)
    recorded_then_turned = rotate_images(apply_wedges(volumes, wedges), quarters)
    turned = rotate_images(volumes, quarters)
    torch.testing.assert_close(apply_wedges(turned, wedges.turned(quarters)), recorded_then_turned)
    assert not torch.allclose(apply_wedges(turned, wedges), recorded_then_turned)


def test_of_two_wedges_what_both_leave_is_left() -> None:
    turned = Wedges.unturned(1, 60).turned(torch.tensor([[[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]]))
    both = Wedges.unturned(1, 50).joined(turned)
    first, second = (Wedges.masks(w, (8, 8, 8)) for w in (Wedges.unturned(1, 50), turned))
    torch.testing.assert_close(both.masks((8, 8, 8)), first & second)


@pytest.mark.parametrize("tilt_range", [30.0, 60.0])
def test_of_even_directions_a_tilt_range_measures_its_share(tilt_range: float) -> None:
    """Two wedges of 2 (90 - range) degrees are missing of the 360 about the tilt axis."""
    directions = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    directions /= directions.norm(dim=1, keepdim=True)
    matrices = random_rotations(2, 3, torch.Generator().manual_seed(1))[None]
    there = Wedges.unturned(1, tilt_range).measured(matrices, directions, edge=1e-3)
    assert there.shape == (1, 2, 20_000)
    share = torch.full((1, 2), tilt_range / 90)
    torch.testing.assert_close(there.mean(-1), share, atol=0.02, rtol=0)


def test_a_reference_loses_the_frequencies_that_turn_into_the_wedge() -> None:
    quarter = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # x to -z, z to x
    x_and_z = torch.eye(3)[::2]
    matrices = torch.stack((torch.eye(3), quarter))[None]
    there = Wedges.unturned(1, 60).measured(matrices, x_and_z, edge=0.1)
    assert there[0].tolist() == [[1, 0], [0, 1]]
