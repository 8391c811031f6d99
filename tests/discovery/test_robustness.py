"""Smallest changes that make a model err, on models where they are known."""

import math

import pytest
import torch
from latentlaw.discovery.robustness.attacks import Target, sizes
from latentlaw.discovery.robustness.smallest_changes import smallest_changes
from latentlaw.errors import ConfigError

WEIGHTS = torch.tensor([1.0, -2.0, 0.5])
MARGINS = torch.tensor([0.3, 0.8, 1.5, 3.0, -0.2])  # the last is wrong as it is


def linear(images):
    second = images.flatten(1) @ WEIGHTS
    return torch.stack((torch.zeros_like(second), second), dim=1)


def images_of(margins):
    """Images `(n, 1, 1, 3)` whose second logit is `margins`."""
    return (margins[:, None] * WEIGHTS / WEIGHTS.square().sum()).view(-1, 1, 1, 3)


def changes(norm, radii, logits=linear, margins=MARGINS, **options):
    target = Target(logits, images_of(margins), torch.ones(len(margins), dtype=torch.int64), norm)
    generator = torch.Generator().manual_seed(0)
    return target, smallest_changes(target, radii, generator=generator, **options)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_the_radius_of_a_linear_model_is_its_margin_over_the_dual_norm(norm, dual):
    target, found = changes(norm, [0.1, 0.5])
    wanted = MARGINS.clamp_min(0) / torch.linalg.vector_norm(WEIGHTS, ord=dual)
    torch.testing.assert_close(found.radii, wanted, rtol=0.02, atol=0)
    assert (found.radii >= wanted - 1e-6).all()  # no smaller change can do it
    assert found.median == pytest.approx(float(wanted[wanted > 0].median()), rel=0.02)
    torch.testing.assert_close(sizes(found.images - target.images, norm), found.radii)
    assert target.at(found.images).errs.all()
    assert found.search_share == 0


def test_accuracy_falls_where_the_l1_norm_says():
    # the worst change of w.x within epsilon is epsilon * |w|_1 = 3.5 epsilon
    _, found = changes("linf", [0.1, 0.3, 0.5, 1.0])
    got = {epsilon: found.accuracy(epsilon) for epsilon in (0.0, 0.1, 0.3, 0.5, 1.0)}
    assert got == {0.0: 0.8, 0.1: 0.6, 0.3: 0.4, 0.5: 0.2, 1.0: 0.0}


def test_a_model_that_hides_its_gradient_is_felled_by_search_and_said_so():
    far = torch.tensor([3.0, 3.4])  # where PGD's random start does not suffice
    _, found = changes("linf", [0.5], lambda images: linear(images).round(), far)
    assert found.moved.all()
    assert found.search_share == 1


def test_a_model_that_cannot_be_moved_has_infinite_radii():
    target, found = changes("l2", [1.0], lambda images: 0 * linear(images) + torch.eye(2)[1])
    assert found.radii.isinf().all()
    assert found.accuracy(1e9) == 1
    assert math.isinf(found.median)
    assert found.search_share == 0
    torch.testing.assert_close(found.images, target.images)


def test_a_model_that_always_errs_has_no_median():
    _, found = changes("l2", [1.0], margins=-MARGINS[:4])
    assert found.radii.eq(0).all()
    assert math.isnan(found.median)


def test_the_same_seed_finds_the_same_changes():
    first, second = (changes("l2", [0.2, 0.4])[1] for _ in range(2))
    assert torch.equal(first.images, second.images)


@pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf")])
def test_a_bad_radius_is_refused(epsilon):
    with pytest.raises(ConfigError, match="epsilon"):
        changes("linf", [0.1, epsilon])


def test_radii_of_nothing_and_attacks_without_steps_are_refused():
    with pytest.raises(ConfigError, match="at least one above 0"):
        changes("linf", [0.0])
    with pytest.raises(ConfigError, match="steps: found 0"):
        changes("linf", [0.1], steps=0)
