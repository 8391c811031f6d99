"""Loss terms on values that are known in closed form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.losses.affinity import affinity_loss, class_cosines
from latentlaw.losses.divergence import TCEstimator, decompose_kl, kl_by_dimension, kl_divergence
from latentlaw.losses.reconstruction import reconstruction_loss
from latentlaw.losses.schedules import weight_schedule


def test_kl_of_the_prior_is_zero_and_of_a_shift_is_half_its_square() -> None:
    zero = torch.zeros(5, 3)
    assert float(kl_divergence(zero, zero)) == 0
    assert float(kl_divergence(zero + 2.0, zero)) == pytest.approx(3 * 2.0)
    assert kl_by_dimension(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)).tolist() == [2.0, 0.0]


def _posterior(correlation: float, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Narrow posteriors whose means are correlated Gaussians, so q(z) is that Gaussian."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, n, generator=generator)
    mu = torch.stack((a, correlation * a + math.sqrt(1 - correlation**2) * b), dim=1)
    logvar = torch.full_like(mu, math.log(0.05))
    z = mu + torch.randn(mu.shape, generator=generator) * math.sqrt(0.05)
    return z, mu, logvar


def test_total_correlation_of_gaussians() -> None:
    independent = decompose_kl(*_posterior(0.0, 2000), 2000)
    assert float(independent.total_correlation) == pytest.approx(0, abs=0.05)
    correlated = decompose_kl(*_posterior(0.9, 2000), 2000)
    # q(z) = N(0, [[1.05, .9], [.9, 1.05]]): TC = -1/2 log(1 - (.9/1.05)^2).
    expected = -0.5 * math.log(1 - (0.9 / 1.05) ** 2)
    assert float(correlated.total_correlation) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_weighted_total_correlation_of_gaussians_is_high_by_log_n(correlation: float) -> None:
    n = 2000
    found = decompose_kl(*_posterior(correlation, n), n, "weighted").total_correlation
    expected = -0.5 * math.log(1 - (correlation / 1.05) ** 2)
    assert float(found) - math.log(n) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_total_correlation_of_three_gaussians_in_batches(estimator: TCEstimator) -> None:
    n, batch, shared, width = 20_000, 500, 0.5, 0.5
    generator = torch.Generator().manual_seed(0)
    own, common = torch.randn(n, 3, generator=generator), torch.randn(n, 1, generator=generator)
    mu = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    logvar = torch.full_like(mu, math.log(width))
    z = mu + math.sqrt(width) * torch.randn(n, 3, generator=generator)
    batches = zip(*(t.split(batch) for t in (z, mu, logvar)), strict=True)
    parts = [decompose_kl(*each, n, estimator) for each in batches]
    found = torch.stack([each.total_correlation for each in parts]).mean()
    # For a Gaussian of covariance S, TC = (sum_d log S_dd - log det S) / 2 (Watanabe 1960).
    covariance = torch.full((3, 3), shared).fill_diagonal_(1 + width)
    expected = 0.5 * (covariance.diagonal().log().sum() - covariance.logdet())
    offset = 2 * math.log(n) if estimator == "weighted" else 0.0
    assert float(found) - offset == pytest.approx(float(expected), abs=0.02)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_kl_parts_add_up(estimator: TCEstimator) -> None:
    z, mu, logvar = _posterior(0.5, 500)
    parts = decompose_kl(z, mu, logvar, 500, estimator)
    total = parts.mutual_information + parts.total_correlation + parts.dimension_wise
    assert float(total) == pytest.approx(float(kl_divergence(mu, logvar)), abs=0.2)


def test_affinity_loss_of_the_exact_embedding_is_zero() -> None:
    angle = math.radians(60)
    mu = torch.tensor([[1.0, 0], [2.0, 0], [math.cos(angle), math.sin(angle)]])
    affinity = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    assert float(affinity_loss(mu, torch.tensor([0, 0, 1]), affinity)) == pytest.approx(
        0, abs=1e-6
    )


@given(st.integers(2, 12), st.integers(0, 1000))
def test_affinity_loss_equals_the_list_of_pairs(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mu = torch.randn(n, 4, generator=generator)
    labels = torch.randint(-1, 3, (n,), generator=generator)
    affinity = torch.rand(3, 3, generator=generator)
    affinity = (affinity + affinity.T) / 2
    pairs = [
        abs(float(torch.cosine_similarity(mu[i], mu[j], dim=0) - affinity[labels[i], labels[j]]))
        for i in range(n)
        for j in range(i)
        if labels[i] >= 0 and labels[j] >= 0
    ]
    expected = sum(pairs) / len(pairs) if pairs else 0.0
    assert float(affinity_loss(mu, labels, affinity)) == pytest.approx(expected, abs=1e-5)


def test_affinity_of_one_particle_is_zero_and_has_a_gradient() -> None:
    mu = torch.ones(1, 3, requires_grad=True)
    loss = affinity_loss(mu, torch.tensor([0]), torch.ones(1, 1))
    loss.backward()
    assert loss.item() == 0
    assert mu.grad is not None
    assert bool(torch.isfinite(mu.grad).all())


def test_class_cosines_leave_a_particle_out_of_its_own_pairs() -> None:
    mu = torch.tensor([[1.0, 0], [0.0, 1], [-1.0, 0]])
    cosines = class_cosines(mu, torch.tensor([0, 0, 1]), 3)
    assert float(cosines[0, 0]) == pytest.approx(0)  # the two members are orthogonal
    assert float(cosines[0, 1]) == pytest.approx(-0.5)
    assert math.isnan(float(cosines[1, 1]))  # one member has no pair
    assert math.isnan(float(cosines[2, 0]))


def test_bernoulli_cross_entropy_has_the_image_as_target() -> None:
    target = torch.tensor([[1.0, 0.0]])
    right, wrong = torch.tensor([[9.0, -9.0]]), torch.tensor([[-9.0, 9.0]])
    assert float(reconstruction_loss(right, target, "bce")) < 1e-3
    assert float(reconstruction_loss(wrong, target, "bce")) == pytest.approx(9, abs=1e-2)
    assert float(reconstruction_loss(target, target + 2, "mse")) == pytest.approx(4)


@given(
    st.sampled_from(["constant", "ramp", "cyclic_linear", "cyclic_sigmoid", "cyclic_cosine"]),
    st.integers(1, 60),
    st.integers(1, 9),
    st.floats(0, 1),
)
def test_schedules_stay_in_range_and_reach_the_top(
    kind: str, epochs: int, cycles: int, ratio: float
) -> None:
    weights = weight_schedule(kind, epochs, 3.0, minimum=1.0, cycles=cycles, ratio=ratio)  # type: ignore[arg-type]
    assert len(weights) == epochs
    assert all(1.0 <= weight <= 3.0 for weight in weights)


def test_ramp_rises_once() -> None:
    assert weight_schedule("ramp", 4, 1.0, ratio=0.5) == [0.0, 0.5, 1.0, 1.0]
    assert weight_schedule("cyclic_linear", 4, 1.0, cycles=2, ratio=0.5) == [0.0, 1.0, 0.0, 1.0]
