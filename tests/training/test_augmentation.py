"""Turns, mirrors and missing wedges, drawn as data."""

import dataclasses
import io
from typing import Literal

import pytest
import torch
from latentlaw.errors import ConfigError
from latentlaw.geometry.wedges import Wedges
from latentlaw.training.augmentation import (
    Transforms,
    Wedge,
    apply_transforms,
    draw_transforms,
    known_wedges,
)


def test_flips_mirror_half_of_the_images() -> None:
    matrices = draw_transforms("rotate-flip", 400, 2, torch.Generator().manual_seed(0)).matrices
    assert matrices is not None
    mirrored = (torch.linalg.det(matrices) < 0).float().mean()
    assert float(mirrored) == pytest.approx(0.5, abs=0.1)
    assert draw_transforms("none", 4, 2, torch.Generator()).matrices is None


def test_flips_alone_leave_each_axis_in_its_place() -> None:
    matrices = draw_transforms("flip", 400, 2, torch.Generator().manual_seed(0)).matrices
    assert matrices is not None
    torch.testing.assert_close(matrices.abs(), torch.eye(2).expand(400, 2, 2))
    signs = torch.diagonal(matrices, dim1=1, dim2=2)
    assert signs.mean(0).abs().max() < 0.15
    assert abs(float((signs[:, 0] * signs[:, 1]).mean())) < 0.15


@pytest.mark.parametrize("direction", ["fixed", "random"])
def test_impulse_has_no_power_in_the_wedge(direction: Literal["fixed", "random"]) -> None:
    impulses = torch.zeros(6, 1, 16, 12, 9)
    impulses[..., 8, 6, 4] = 1
    generator = torch.Generator().manual_seed(0)
    drawn = draw_transforms(
        "none", 6, 3, generator, wedge=Wedge(low_deg=30, high_deg=60, direction=direction)
    )
    assert drawn.wedges is not None
    power = torch.fft.rfftn(apply_transforms(impulses, drawn)[:, 0], dim=(1, 2, 3)).abs()
    k = torch.stack(
        torch.meshgrid(
            torch.fft.fftfreq(16), torch.fft.fftfreq(12), torch.fft.rfftfreq(9), indexing="ij"
        )
    )
    ranges, frames = drawn.wedges.tilt_ranges_deg[:, 0], drawn.wedges.frames[:, 0]
    for each, tilt, frame in zip(power, ranges, frames, strict=True):
        across, beam = (
            torch.einsum("izyx,i->zyx", k, frame[:, axis].flip(0)).abs() for axis in (0, 2)
        )
        missing = torch.atan2(beam, across) > torch.deg2rad(tilt) + 1e-3
        kept = torch.atan2(beam, across) < torch.deg2rad(tilt) - 1e-3
        assert float(each[missing].max()) < 1e-6
        inside = kept[1:8, 1:6, 1:]  # off the planes where k and -k share a name
        torch.testing.assert_close(each[1:8, 1:6, 1:][inside], torch.ones(int(inside.sum())))
        assert bool(missing.any())


def test_transforms_that_were_logged_replay_to_the_same_bytes() -> None:
    images = torch.randn(3, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    drawn = draw_transforms(
        "rotate", 3, 3, torch.Generator().manual_seed(0), wedge=Wedge(direction="random")
    )
    log = io.BytesIO()
    torch.save(dataclasses.asdict(drawn), log)
    log.seek(0)
    logged = torch.load(log, weights_only=True)
    replayed = Transforms(logged["matrices"], Wedges(**logged["wedges"]))
    before = apply_transforms(images, drawn).numpy().tobytes()
    assert apply_transforms(images, replayed).numpy().tobytes() == before
    again = draw_transforms(
        "rotate", 3, 3, torch.Generator().manual_seed(0), wedge=Wedge(direction="random")
    )
    assert apply_transforms(images, again).numpy().tobytes() == before


def test_known_wedges_turn_along_and_add_up() -> None:
    """What has no power after a turn and a wedge is in the masks, but for what interpolates."""
    drawn = draw_transforms("rotate", 3, 3, torch.Generator().manual_seed(0), wedge=Wedge())
    assert drawn.matrices is not None
    assert drawn.wedges is not None
    known = known_wedges(drawn, 3, 60.0)
    assert known is not None
    recorded = Wedges.unturned(3, 60).turned(drawn.matrices)
    shape = (12, 12, 12)
    both = recorded.masks(shape) & drawn.wedges.masks(shape)
    torch.testing.assert_close(known.masks(shape), both)
    assert known_wedges(drawn, 3, None) is None
    untouched = known_wedges(Transforms(), 3, 60.0)
    assert untouched is not None
    torch.testing.assert_close(untouched.masks(shape), Wedges.unturned(3, 60).masks(shape))


def test_wedge_of_flat_images_or_a_reversed_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="use wedge=none"):
        draw_transforms("rotate", 2, 2, torch.Generator(), wedge=Wedge())
    with pytest.raises(ConfigError, match="from 60 to 30 degrees"):
        Wedge(low_deg=60, high_deg=30)
