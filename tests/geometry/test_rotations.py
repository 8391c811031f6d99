"""Rotations: identities that hold for every rotation, and a quarter turn that can be checked."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.geometry.rotations import (
    angle_to_matrix,
    normalise_quaternion,
    quaternion_to_matrix,
    random_rotations,
    spread_directions,
)


@given(st.lists(st.floats(-10, 10), min_size=4, max_size=4))
def test_every_quaternion_gives_a_rotation(values: list[float]) -> None:
    matrix = quaternion_to_matrix(torch.tensor(values, dtype=torch.float64))
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(matrix)) == pytest.approx(1)


def test_zero_quaternion_is_the_identity() -> None:
    torch.testing.assert_close(quaternion_to_matrix(torch.zeros(4)), torch.eye(3))
    assert normalise_quaternion(torch.zeros(4)).tolist() == [1, 0, 0, 0]


def test_quarter_turn_about_z_sends_x_to_y() -> None:
    half = math.pi / 4
    turn = quaternion_to_matrix(torch.tensor([math.cos(half), 0.0, 0.0, math.sin(half)]))
    torch.testing.assert_close(turn @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]))
    plane = angle_to_matrix(torch.tensor(math.pi / 2))
    torch.testing.assert_close(plane @ torch.tensor([1.0, 0]), torch.tensor([0.0, 1]))


def test_random_rotations_are_uniform_and_repeat() -> None:
    matrices = random_rotations(4000, 3, torch.Generator().manual_seed(1))
    # The mean of a uniform rotation is zero, and its trace has mean zero.
    assert float(matrices.mean(dim=0).abs().max()) < 0.05
    again = random_rotations(4000, 3, torch.Generator().manual_seed(1))
    torch.testing.assert_close(matrices, again)


def test_spread_directions_cover_half_a_sphere_evenly() -> None:
    directions = spread_directions(128)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(128))
    assert float(directions[:, 2].min()) > 0
    # Of an even cover the second moments are those of the sphere, and no two are close.
    moments = directions.T @ directions / 128
    torch.testing.assert_close(moments, torch.eye(3) / 3, atol=5e-3, rtol=0)
    near = (directions @ directions.T - 2 * torch.eye(128)).max(dim=1).values
    assert float(torch.rad2deg(near.acos()).min()) > 9


def test_normalise_keeps_direction() -> None:
    torch.testing.assert_close(
        normalise_quaternion(torch.tensor([0.0, 3, 0, 4])), torch.tensor([0.0, 0.6, 0, 0.8])
    )
