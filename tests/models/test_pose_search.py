"""The search of a pose, and the head that learns its answers, where the answer is known."""

import math

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.wedges import Wedges, apply_wedges
from latentlaw.losses.pose import pose_loss
from latentlaw.models.config import ModelConfig
from latentlaw.models.pose import PoseHead, matrix_pose, pose_matrix
from latentlaw.models.pose_search import search_pose
from latentlaw.models.splat_energy import MeasuredEnergy
from latentlaw.models.splats import Splats, render
from latentlaw.models.vae import AutoEncoder
from torch import Tensor


def three(dims: int, n: int) -> Splats:
    """Three Gaussians of a shape without symmetry."""
    centres = torch.tensor([[0.6, 0, 0], [0, 0.3, 0], [0, -0.1, 0.45]])[:, :dims]
    weights = torch.tensor([1.0, 1.5, 2.0])
    return Splats(centres.expand(n, 3, dims), torch.full((n, 3), 0.15), weights.expand(n, 1, 3))


def degrees_apart(found: Tensor, true: Tensor) -> Tensor:
    """Angles between poses and matrices; of a turn by a, the squared distance is 8 sin^2(a/2)."""
    apart = (pose_matrix(found) - true).square().sum((1, 2)) / 8
    return 2 * torch.rad2deg(apart.sqrt().clamp(max=1).asin())


@pytest.mark.parametrize(("dims", "sizes"), [(3, (16, 16, 16)), (3, (15, 16, 18)), (2, (24, 24))])
def test_search_finds_the_rotation_of_a_rendered_image(dims: int, sizes: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    splats, matrices = three(dims, 20), random_rotations(20, dims, generator)
    turned = Splats(splats.centres @ matrices.mT, splats.sigmas, splats.weights)
    images = render(turned, sizes)
    guess = matrix_pose(random_rotations(20, dims, generator))  # of no help
    found = search_pose(splats, images, guess)
    # A voxel at the outermost Gaussian is 10 degrees.
    assert float(degrees_apart(found, matrices).max()) < 10


def test_search_is_not_led_by_a_guess_half_a_turn_off() -> None:
    splats = three(3, 1)
    images = render(splats, (16, 16, 16))
    found = search_pose(splats, images, torch.tensor([[0.0, 0, 0, 1]]))
    assert float(found[0, 0].abs()) > math.cos(math.radians(3))


def bent_rod(n: int) -> Splats:
    """Seven Gaussians in a row with a small one beside: how much a wedge leaves depends on it."""
    centres = torch.zeros(8, 3)
    centres[:7, 0] = torch.linspace(-0.6, 0.6, 7)
    centres[7] = torch.tensor([0.6, 0.35, 0.0])
    weights = torch.ones(8)
    weights[7] = 0.7
    return Splats(centres.expand(n, 8, 3), torch.full((n, 8), 0.12), weights.expand(n, 1, 8))


@pytest.mark.parametrize("sizes", [(20, 20, 20), (18, 20, 19)])
def test_energy_of_directions_is_the_norm_of_what_the_wedge_leaves(
    sizes: tuple[int, int, int],
) -> None:
    splats, matrices = bent_rod(12), random_rotations(12, 3, torch.Generator().manual_seed(0))
    wedges = Wedges.unturned(12, 60)
    images = render(Splats(splats.centres @ matrices.mT, splats.sigmas, splats.weights), sizes)
    centred = images - images.mean(dim=(1, 2, 3, 4), keepdim=True)
    left = apply_wedges(centred, wedges).square().sum((1, 2, 3, 4)) * (2 / max(sizes)) ** 3
    assert float(left.max() / left.min()) > 1.5
    found = MeasuredEnergy.of(splats, wedges, max(sizes))(matrices[:, None])[:, 0]
    torch.testing.assert_close(found, left, rtol=0.1, atol=0)


def test_search_that_knows_the_wedge_is_not_drawn_to_what_it_leaves() -> None:
    n, box = 30, (32, 32, 32)
    splats, generator = bent_rod(n), torch.Generator().manual_seed(0)
    matrices, wedges = random_rotations(n, 3, generator), Wedges.unturned(n, 60)
    whole = render(Splats(splats.centres @ matrices.mT, splats.sigmas, splats.weights), box)
    images = apply_wedges(whole - whole.mean(dim=(1, 2, 3, 4), keepdim=True), wedges)
    truth = matrix_pose(matrices)  # is where both begin, and where only one may leave from
    knowing = degrees_apart(search_pose(splats, images, truth, wedges), matrices)
    plain = degrees_apart(search_pose(splats, images, truth), matrices)
    assert float(knowing.quantile(0.9)) < 15
    assert float(plain.quantile(0.9)) > 45


def test_output_is_compared_as_the_tilt_series_shows_it() -> None:
    config = ModelConfig(
        family="affinity-vae", image_shape=(1, 8, 8, 8), pose_dims=4, depth=1, decoder="splat"
    )
    volumes = torch.randn(3, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    turned = Wedges.unturned(3, 60).turned(random_rotations(3, 3, torch.Generator()))
    blind, model = AutoEncoder(config), AutoEncoder(config.model_copy(update={"tilt_range": 60}))
    torch.testing.assert_close(blind.record(volumes), volumes)
    recorded = apply_wedges(volumes, Wedges.unturned(3, 60))
    torch.testing.assert_close(model.record(volumes), recorded)
    torch.testing.assert_close(model.record(volumes, turned), apply_wedges(volumes, turned))


def test_tilt_range_of_flat_images_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="for 2-D images and reconstruction=mse, expected volumes"
    ):
        ModelConfig(
            family="affinity-vae", image_shape=(1, 8, 8), pose_dims=2, depth=1, tilt_range=60
        )


def test_configuration_from_before_tilt_ranges_loads() -> None:
    old = '{"family": "beta-vae", "image_shape": [1, 8, 8, 8], "pose_dims": 0, "depth": 1}'
    assert ModelConfig.model_validate_json(old).tilt_range is None


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


def test_a_new_decoder_has_one_shape_and_learns_others() -> None:
    config = ModelConfig(
        family="affinity-vae", image_shape=(1, 8, 8), pose_dims=2, depth=1, decoder="splat"
    )
    decoder, z = AutoEncoder(config).decoder, torch.randn(2, 8)
    images = decoder(z, torch.tensor([[1.0, 0], [1.0, 0]]))
    torch.testing.assert_close(images[0], images[1])
    (images - torch.rand(2, 1, 8, 8)).square().sum().backward()
    for layer in (decoder.centres, decoder.weights, decoder.sigmas):
        assert float(layer.weight.grad.abs().sum()) > 0


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
