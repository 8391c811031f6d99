"""Attacks on linear models have closed forms; on any model they stay in their ball."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.discovery.robustness.attacks import (
    Target,
    fgsm,
    pgd,
    project,
    random_search,
    sizes,
    steepest,
)

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 0.0])
NORMS = ("linf", "l2")


def linear(images):
    """Logits 0 and w.x of images `(n, 1, 2, 2)`."""
    second = images.flatten(1) @ WEIGHTS
    return torch.stack((torch.zeros_like(second), second), dim=1)


def target_of(margins, norm, logits=linear):
    """Images of class 1 whose logit is `margins`."""
    unit = WEIGHTS / WEIGHTS.square().sum()
    images = (torch.tensor(margins)[:, None] * unit).view(-1, 1, 2, 2)
    return Target(logits, images, torch.ones(len(margins), dtype=torch.int64), norm)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_gradient_attacks_lower_a_linear_margin_by_the_dual_norm(norm, dual):
    # min of w.(x + d) over |d| <= r is w.x - r |w|_dual
    target = target_of([9.0, 11.0], norm)
    radius = torch.tensor([0.5, 2.0])
    wanted = torch.tensor([9.0, 11.0]) - radius * torch.linalg.vector_norm(WEIGHTS, ord=dual)
    torch.testing.assert_close(fgsm(target, radius).margins, wanted)
    found = pgd(target, radius, steps=20, generator=generator())
    # In L2 a part of the random start stays: the ball's edge is nearly flat there.
    lost = (found.margins - wanted) / (torch.tensor([9.0, 11.0]) - wanted)
    assert ((lost >= -1e-5) & (lost < 0.04)).all()


def test_fgsm_moves_each_pixel_by_the_radius_against_its_weight():
    target = target_of([1.0], "linf")
    moved = fgsm(target, torch.tensor([0.2])).images
    change = (moved - target.images).flatten()
    torch.testing.assert_close(change, torch.tensor([-0.2, 0.2, -0.2, 0.0]))


def test_random_search_fells_a_linear_model_without_a_gradient():
    def hidden(images):
        return linear(images.detach())

    target = target_of([1.0], "linf", hidden)
    radius = torch.tensor([0.9])  # 1 / |w|_1 is 0.29
    assert not fgsm(target, radius).errs.any()
    assert random_search(target, radius, queries=100, generator=generator()).errs.all()


def test_a_constant_model_cannot_be_moved():
    target = target_of([1.0], "l2", lambda images: 0 * linear(images) + torch.tensor([0.0, 1.0]))
    found = pgd(target, torch.tensor([5.0]), steps=3, generator=generator())
    assert not found.errs.any()
    assert found.images.isfinite().all()


def test_an_undefined_gradient_is_none():
    def root(images):
        second = (images.flatten(1) @ WEIGHTS).abs().sqrt()
        return torch.stack((second - 1, torch.zeros_like(second)), dim=1)

    target = target_of([0.0], "linf", root)
    _, slope = target.slopes(target.images)
    assert torch.equal(slope, torch.zeros_like(slope))


def wavy(images):
    flat = images.flatten(1)
    return torch.stack((flat.sin().sum(1), (3 * flat).cos().sum(1), flat.square().sum(1)), dim=1)


@given(
    radius=st.floats(1e-3, 10),
    norm=st.sampled_from(NORMS),
    seed=st.integers(0, 10_000),
    name=st.sampled_from(("fgsm", "pgd", "random")),
)
def test_attacks_stay_in_their_ball_and_never_help(radius, norm, seed, name):
    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(5, 2, 3, 4, generator=draw)
    target = Target(wavy, images, torch.randint(3, (5,), generator=draw), norm)
    radii = torch.linspace(0, radius, 5)
    attacks = {
        "fgsm": lambda: fgsm(target, radii),
        "pgd": lambda: pgd(target, radii, steps=4, generator=draw),
        "random": lambda: random_search(target, radii, queries=4, generator=draw),
    }
    found = attacks[name]()
    assert (sizes(found.images - images, norm) <= radii * (1 + 1e-5) + 1e-5).all()
    again = target.at(found.images)
    torch.testing.assert_close(again.margins, found.margins)
    assert torch.equal(again.errs, found.errs)
    if name == "random":
        before = target.at(images)
        assert (found.errs | (found.margins <= before.margins)).all()


@given(norm=st.sampled_from(NORMS), seed=st.integers(0, 10_000))
def test_projection_is_the_nearest_change_of_the_ball(norm, seed):
    draw = torch.Generator().manual_seed(seed)
    change = torch.randn(3, 1, 2, 3, generator=draw) * 3
    radius = torch.rand(3, generator=draw) * 4
    nearest = project(change, radius, norm)
    torch.testing.assert_close(project(nearest, radius, norm), nearest)  # it is in the ball
    inside = project(torch.randn(50, 1, 2, 3, generator=draw) * 3, radius[:1].expand(50), norm)
    apart = (change[:1] - inside).flatten(1).norm(dim=1)
    assert ((change[0] - nearest[0]).norm() <= apart + 1e-5).all()


@pytest.mark.parametrize("norm", NORMS)
def test_steepest_has_norm_one_and_none_where_there_is_no_slope(norm):
    slope = torch.tensor([3.0, -4.0, 0.0, 0.0]).view(1, 1, 2, 2)
    step = steepest(slope, norm)
    torch.testing.assert_close(sizes(step, norm), torch.ones(1))
    assert (step * slope).sum() == pytest.approx(7 if norm == "linf" else 5)
    assert not steepest(0 * slope, norm).any()
