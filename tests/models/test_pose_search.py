"""The search of a pose, and the head that learns its answers, where the answer is known."""

import math

import pytest
import torch
from latentlaw.geometry.rotations import random_rotations
from latentlaw.losses.pose import pose_loss
from latentlaw.models.config import ModelConfig
from latentlaw.models.pose import PoseHead, matrix_pose, pose_matrix
from latentlaw.models.pose_search import search_pose
from latentlaw.models.splats import Splats, render
from latentlaw.models.vae import AutoEncoder


def three(dims: int, n: int) -> Splats:
    """Three Gaussians of a shape without symmetry."""
    centres = torch.tensor([[0.6, 0, 0], [0, 0.3, 0], [0, -0.1, 0.45]])[:, :dims]
    weights = torch.tensor([1.0, 1.5, 2.0])
    return Splats(centres.expand(n, 3, dims), torch.full((n, 3), 0.15), weights.expand(n, 1, 3))


@pytest.mark.parametrize(("dims", "sizes"), [(3, (16, 16, 16)), (3, (15, 16, 18)), (2, (24, 24))])
def test_search_finds_the_rotation_of_a_rendered_image(dims: int, sizes: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    splats, matrices = three(dims, 20), random_rotations(20, dims, generator)
    turned = Splats(splats.centres @ matrices.mT, splats.sigmas, splats.weights)
    images = render(turned, sizes)
    guess = matrix_pose(random_rotations(20, dims, generator))  # of no help
    found = pose_matrix(search_pose(splats, images, guess))
    # Of a rotation by a, the squared chordal distance is 8 sin^2(a/2) in 3-D and in 2-D.
    apart = (found - matrices).square().sum((1, 2)) / 8
    angles = 2 * torch.rad2deg(apart.sqrt().asin())
    assert float(angles.max()) < 10  # a voxel at the outermost Gaussian is 10 degrees


def test_search_is_not_led_by_a_guess_half_a_turn_off() -> None:
    splats = three(3, 1)
    images = render(splats, (16, 16, 16))
    found = search_pose(splats, images, torch.tensor([[0.0, 0, 0, 1]]))
    assert float(found[0, 0].abs()) > math.cos(math.radians(3))


def test_pose_head_gives_unit_quaternions_and_a_gradient() -> None:
    torch.manual_seed(0)
    head = PoseHead(8, 4)
    pose = head(torch.randn(50, 8))
    torch.testing.assert_close(pose.norm(dim=1), torch.ones(50))
    pose_loss(pose, torch.tensor([1.0, 0, 0, 0]).expand(50, 4)).backward()
    gradient = head.linear.weight.grad
    assert gradient is not None
    assert bool(torch.isfinite(gradient).all())
    assert float(gradient.abs().sum()) > 0


def test_pose_loss_is_the_squared_sine_of_half_the_angle() -> None:
    angle = torch.tensor(1.2)
    upright, turned = torch.tensor([[1.0, 0, 0, 0]]), torch.zeros(1, 4)
    turned[0, 0], turned[0, 2] = (angle / 2).cos(), (angle / 2).sin()
    expected = math.sin(0.6) ** 2
    assert float(pose_loss(turned, upright)) == pytest.approx(expected, abs=1e-6)
    assert float(pose_loss(-turned, upright)) == pytest.approx(expected, abs=1e-6)
    flat = torch.stack((angle.cos(), angle.sin()))[None]
    assert float(pose_loss(flat, torch.tensor([[1.0, 0]]))) == pytest.approx(expected, abs=1e-6)


def test_a_free_pose_is_not_searched() -> None:
    config = ModelConfig(family="affinity-vae", image_shape=(1, 8, 8), pose_dims=3, depth=1)
    model, images = AutoEncoder(config), torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(model.infer(images).pose, model.encode(images).pose)


def test_final_convolution_starts_as_nothing_and_learns() -> None:
    config = ModelConfig(
        family="affinity-vae",
        image_shape=(1, 8, 8),
        pose_dims=2,
        depth=1,
        decoder="splat",
        final_channels=4,
    )
    model = AutoEncoder(config)
    z, pose = torch.randn(2, 8), torch.tensor([[1.0, 0], [0, 1.0]])
    splats = model.decoder.splats(z)
    turned = Splats(splats.centres @ pose_matrix(pose).mT, splats.sigmas, splats.weights)
    output = model.decode(z, pose)
    torch.testing.assert_close(output, render(turned, (8, 8)))
    output.square().sum().backward()
    assert float(model.decoder.final[-1].weight.grad.abs().sum()) > 0
