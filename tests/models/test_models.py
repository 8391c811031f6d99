"""Networks: shapes, an exact renderer, an explicit pose, normalisation."""

import math

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.geometry.volumes import gaussian_blur, rotate_images
from latentlaw.models.classifier import Classifier
from latentlaw.models.config import ModelConfig, deepest
from latentlaw.models.decoders import interleave
from latentlaw.models.layers import UpConv3d
from latentlaw.models.normalisation import Normalisation, NormalisationKind
from latentlaw.models.pose import pose_matrix
from latentlaw.models.resnet import ResidualBlock, ResNet
from latentlaw.models.splats import SplatDecoder
from latentlaw.models.vae import AutoEncoder


def config(shape: tuple[int, ...], **changes: object) -> ModelConfig:
    values = {"family": "affinity-vae", "image_shape": shape, "pose_dims": 3, "channels": 4}
    return ModelConfig.model_validate({**values, "depth": deepest(shape[1:]), **changes})


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 40, 40), (1, 16, 16, 16), (1, 8, 16, 24)])
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_reconstruction_has_the_shape_of_the_image(shape: tuple[int, ...], norm: str) -> None:
    model = AutoEncoder(config(shape, norm=norm))
    encoding = model.encode(torch.rand(2, *shape))
    assert encoding.mu.shape == (2, 8)
    assert encoding.pose.shape == (2, 3)
    assert model.decode(encoding.mu, encoding.pose).shape == (2, *shape)
    for black_box in (Classifier, ResNet):
        assert black_box(model.config, 5)(torch.rand(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_few_channels_at_one_voxel_still_tell_images_apart(channels: int) -> None:
    """A group of one value would be normalised to 0, whatever the image."""
    shape = (1, 8, 8)
    model = AutoEncoder(config(shape, channels=channels, norm="group")).eval()
    images = torch.rand(3, *shape)
    assert model.encode(images).mu.std(dim=0).min() > 0
    assert torch.allclose(model.encode(images[:1]).mu, model.encode(images).mu[:1], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 40, 40), (1, 64, 64), (1, 32, 32, 32)])
def test_the_residual_network_is_small_and_has_shortcuts(
    shape: tuple[int, ...],
) -> None:
    network = ResNet(config(shape), 7)
    assert 1e5 < sum(p.numel() for p in network.parameters()) < 3e5
    block = ResidualBlock(4, 4, 1, len(shape) - 1, "none")
    torch.nn.init.zeros_(block.body[-2].weight)
    x = torch.randn(2, 4, *shape[1:])
    torch.testing.assert_close(block(x), torch.nn.functional.silu(x))


def test_depth_that_does_not_divide_the_box_is_refused() -> None:
    with pytest.raises(ConfigError, match="divisible by 8; use depth=1"):
        config((1, 18, 18), depth=3)
    assert deepest((64, 64)) == 6
    assert deepest((48, 32, 32)) == 4
    assert deepest((15, 15)) == 0


def test_splat_pose_must_be_a_rotation() -> None:
    with pytest.raises(ConfigError, match="expected the 4 of the splat decoder"):
        config((1, 16, 16, 16), decoder="splat", pose_dims=3)


def test_splat_renderer_equals_the_sum_of_gaussians() -> None:
    shape = (1, 6, 8, 10)
    decoder = SplatDecoder(config(shape, decoder="splat", pose_dims=4, splats=5, depth=1))
    z, pose = torch.randn(2, 8), torch.randn(2, 4)
    centres = torch.tanh(decoder.centres(z)).view(2, 5, 3) * 0.8
    centres = centres @ pose_matrix(pose).transpose(-1, -2)
    sigma = 0.02 + 0.18 * torch.sigmoid(decoder.sigmas(z))
    axes = [(torch.arange(n) - n // 2) / 5 for n in (6, 8, 10)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)
    square = (grid[None, None] - centres[:, :, None, None, None]).square().sum(-1)
    bumps = torch.exp(-0.5 * square / sigma[..., None, None, None].square())
    expected = torch.einsum("ns,nszyx->nzyx", decoder.weights(z), bumps)[:, None]
    torch.testing.assert_close(decoder(z, pose), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dims", "pose"), [(3, [0.6, 0.0, 0.8, 0.0]), (2, [0.6, 0.8])])
def test_splat_pose_rotates_the_volume(dims: int, pose: list[float]) -> None:
    shape = (1, *[24] * dims)
    decoder = SplatDecoder(config(shape, decoder="splat", pose_dims=len(pose), splats=4))
    with torch.no_grad():  # wide Gaussians, which linear interpolation follows
        decoder.sigmas.weight.zero_()
        decoder.sigmas.bias.fill_(9.0)
        decoder.centres.weight.mul_(0.3)
        decoder.weights.bias.copy_(torch.arange(1.0, 5.0))  # all positive, so that none cancel
        decoder.weights.weight.zero_()
    z = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    upright = decoder(z, torch.tensor([[1.0, *[0.0] * (len(pose) - 1)]]))
    turned = decoder(z, torch.tensor([pose]))
    expected = rotate_images(upright, pose_matrix(torch.tensor([pose])))
    inner = (slice(None), slice(None), *[slice(5, -5)] * dims)
    error = (turned - expected)[inner].abs().max() / expected[inner].abs().max()
    assert error.item() < 0.05


def test_splat_model_renders_at_another_box() -> None:
    decoder = SplatDecoder(config((1, 16, 16, 16), decoder="splat", pose_dims=4))
    z, pose = torch.randn(1, 8), torch.randn(1, 4)
    fine = decoder(z, pose, (32, 32, 32))
    assert fine.shape == (1, 1, 32, 32, 32)
    # Every other voxel of a grid twice as fine lies on the coarse one.
    torch.testing.assert_close(fine[..., ::2, ::2, ::2], decoder(z, pose))


def test_doubling_layer_equals_the_transposed_convolution() -> None:
    generator = torch.Generator().manual_seed(0)
    layer, volume = UpConv3d(6, 4), torch.randn(2, 6, 3, 4, 5, generator=generator)
    expected = torch.nn.functional.conv_transpose3d(volume, layer.weight, layer.bias, stride=2)
    for each in (volume, volume.contiguous(memory_format=torch.channels_last_3d)):
        found = layer(each)
        torch.testing.assert_close(found, expected)
        assert found.is_contiguous(memory_format=torch.channels_last_3d)


def test_interleave_puts_channels_on_the_finer_grid() -> None:
    coarse = torch.arange(4.0).view(1, 4, 1, 1)
    torch.testing.assert_close(interleave(coarse, 2), torch.tensor([[[[0.0, 1], [2, 3]]]]))


def test_particle_normalisation_of_a_constant_box_is_zero() -> None:
    images = torch.stack((torch.full((1, 4, 4), 7.0), torch.rand(1, 4, 4)))
    scaled = Normalisation()(images)
    assert float(scaled[0].abs().max()) == 0
    assert float(scaled[1].mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled[1].std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_unit_normalisation_fills_zero_to_one() -> None:
    images = torch.stack((torch.full((1, 4, 4), 7.0), 5 * torch.randn(1, 4, 4) - 3))
    scaled = Normalisation(kind="unit")(images)
    assert float(scaled[0].abs().max()) == 0
    assert (float(scaled[1].min()), float(scaled[1].max())) == pytest.approx((0, 1))
    torch.testing.assert_close(scaled, Normalisation(kind="unit")(3 * images + 2))


def test_smoothing_comes_before_the_scale_and_leaves_constants() -> None:
    images = torch.stack((torch.full((1, 8, 8, 8), 7.0), torch.rand(1, 8, 8, 8)))
    blurred = gaussian_blur(images, torch.tensor(1.0))
    scaled = Normalisation(smoothing=1)(images)
    assert float(scaled[0].abs().max()) == 0
    torch.testing.assert_close(scaled, Normalisation()(blurred))
    fitted = Normalisation.fit("global", [images], smoothing=1)
    assert fitted.scale == pytest.approx(Normalisation.fit("global", [blurred]).scale)


def test_global_normalisation_keeps_brightness() -> None:
    dim = torch.zeros(1, 1, 10, 10)
    dim[..., 4:6, 4:6] = 1
    images = torch.cat((dim, 3 * dim + 100))  # brighter, over a higher background
    normalise = Normalisation.fit("global", images.split(2))
    dark, bright = normalise(images)
    assert float(dark.min()) == float(bright.min()) == 0
    expected = math.asinh(3 * math.sinh(float(dark.max())))
    assert float(bright.max()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["particle", "global", "unit"])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_normalisation_is_undone_to_grey_levels(kind: NormalisationKind, smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    raw = 100 * torch.rand(3, 2, 8, 8, generator=generator) + 30
    raw[2] = 40  # a constant image comes back too
    normalise = Normalisation(kind=kind, scale=20, smoothing=smoothing)
    torch.testing.assert_close(normalise.undo(normalise(raw), raw), normalise.smoothed(raw))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 7), (40, 40), (8, 9, 10)])
def test_background_is_the_fifth_percentile(sizes: tuple[int, ...]) -> None:
    images = torch.randn(5, 2, *sizes, generator=torch.Generator().manual_seed(0))
    background = torch.quantile(images.flatten(1), 0.05, dim=1).view(5, *[1] * (images.ndim - 1))
    expected = torch.asinh((images - background) / 2)
    torch.testing.assert_close(Normalisation(kind="global", scale=2)(images), expected)


def test_global_scale_is_the_deviation_over_all_batches() -> None:
    images = torch.randn(50, 1, 9, 9, generator=torch.Generator().manual_seed(0)) + 7
    background = torch.quantile(images.flatten(1), 0.05, dim=1).view(-1, 1, 1, 1)
    fitted = Normalisation.fit("global", images.split(7))
    assert fitted.scale == pytest.approx(float((images - background).std()), rel=1e-5)
