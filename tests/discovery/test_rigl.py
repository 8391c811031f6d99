import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.networks import rigl
from latentlaw.discovery.networks.dense import LatentNetwork, NetworkSpec, train_network
from latentlaw.discovery.networks.rigl import drop_fraction, random_masks, rewire, rigl_networks
from latentlaw.discovery.networks.sparse_paths import count, live_masks, weight_matrices

from tests.discovery.samples import clusters, split_latents

SPEC = NetworkSpec(hidden=(6,), epochs=30, learning_rate=0.02, batch_size=32)


def is_live(masks):
    return all(torch.equal(a, b) for a, b in zip(live_masks(masks), masks, strict=True))


def test_the_share_that_is_dropped_follows_the_cosine_of_the_paper():
    steps = [0, 25, 50, 75, 100, 101]
    wanted = [0.15 * (1 + math.cos(math.pi * t / 100)) for t in steps[:4]] + [0, 0]
    assert [drop_fraction(t, 100, 0.3) for t in steps] == pytest.approx(wanted)
    assert wanted[0] == 0.3
    assert wanted[2] == pytest.approx(0.15)


WIDTHS = st.lists(st.integers(1, 7), min_size=2, max_size=4)


@given(WIDTHS, st.integers(0, 40), st.integers(0, 999))
def test_a_random_topology_keeps_the_budget_and_reaches_every_output(widths, extra, seed):
    budget = widths[-1] + len(widths) - 2 + extra
    masks = random_masks(widths, budget, torch.Generator().manual_seed(seed))
    assert count(masks) <= budget
    assert is_live(masks)
    assert (masks[-1].sum(1) > 0).all()
    # Only what no live weight can be added to has fewer.
    assert count(masks) == budget or not any(m.any() for m in rigl.joinable(masks))


@given(WIDTHS, st.integers(0, 40), st.integers(0, 999), st.integers(0, 20))
def test_rewiring_keeps_the_budget_and_every_output(widths, extra, seed, drop):
    budget = widths[-1] + len(widths) - 2 + extra
    generator = torch.Generator().manual_seed(seed)
    masks = random_masks(widths, budget, generator)
    weights = [torch.randn(m.shape, generator=generator) * m for m in masks]
    gradients = [torch.randn(m.shape, generator=generator) for m in masks]
    kept, grown = rewire(weights, gradients, masks, drop=drop, budget=budget, generator=generator)
    assert count(masks) - count(kept) >= 0
    assert count(grown) <= budget
    assert is_live(grown)
    assert (grown[-1].sum(1) > 0).all()
    assert all(
        (k <= m).all() and (k <= g).all() for k, m, g in zip(kept, masks, grown, strict=True)
    )


def test_the_smallest_weight_goes_and_the_largest_gradient_comes():
    masks = [torch.tensor([[1.0, 1.0, 0.0, 0.0]])]
    weights = [torch.tensor([[2.0, 0.1, 0.0, 0.0]])]
    gradients = [torch.tensor([[0.0, 0.0, 0.3, -0.9]])]
    kept, grown = rewire(weights, gradients, masks, drop=1, budget=2, generator=torch.Generator())
    assert kept[0].tolist() == [[1, 0, 0, 0]]
    assert grown[0].tolist() == [[1, 0, 0, 1]]


def test_in_training_the_budget_holds_at_each_step_and_grown_weights_start_at_zero():
    data = clusters(n=200, dims=6)
    scaling, _ = check_latents(data)
    generator = torch.Generator().manual_seed(0)
    net = LatentNetwork((6, *SPEC.hidden, 3), generator)
    steps = SPEC.epochs * -(-len(data.train) // SPEC.batch_size)
    rigging = rigl._Rigging(net, 16, steps, generator)
    grown_in_all, last_change = 0, 0

    def watched(step, optimiser):
        nonlocal grown_in_all, last_change
        before = [mask.clone() for mask in rigging.masks]
        rigging.update(step, optimiser)
        assert count(rigging.masks) == 16
        assert is_live(rigging.masks)
        assert (rigging.masks[-1].sum(1) > 0).all()
        for layer, old, new in zip(net.linears, before, rigging.masks, strict=True):
            assert not layer.weight[new == 0].any()
            fresh = (old == 0) & (new == 1)
            assert not layer.weight[fresh].any()
            for name in ("exp_avg", "exp_avg_sq"):
                assert not optimiser.state[layer.weight][name][fresh].any()
            if fresh.any():
                grown_in_all, last_change = grown_in_all + int(fresh.sum()), step

    train_network(
        net, data, scaling, spec=SPEC, generator=generator, masks=rigging.masks, on_step=watched
    )
    assert grown_in_all > 0
    assert last_change < 0.75 * steps


def informative(seed, dims=20, n=600):
    """Two classes by the sum of latents 4 and 11 of twenty."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, dims)).astype(np.float32)
    y = (z[:, 4] + z[:, 11] > 0).astype(np.int64)
    return split_latents(z, y, ("out", "in"), dims)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_two_latents_that_say_something_are_found_among_twenty(seed):
    data = informative(seed)
    scaling, _ = check_latents(data)
    spec = NetworkSpec(hidden=(16,), epochs=100, learning_rate=0.02)
    ((budget, net),) = rigl_networks(data, scaling, budgets=[8], spec=spec, seed=seed)
    strength = weight_matrices(net)[0].abs().sum(0)
    assert count(weight_matrices(net)) <= budget
    assert set(strength.topk(2).indices.tolist()) == {4, 11}


def test_a_seed_repeats_and_another_differs():
    data = clusters(n=100, dims=5)
    scaling, _ = check_latents(data)

    def weights(seed):
        found = rigl_networks(data, scaling, budgets=[12], spec=SPEC, seed=seed)
        return [w.tolist() for _, net in found for w in weight_matrices(net)]

    assert weights(0) == weights(0)
    assert weights(0) != weights(1)
