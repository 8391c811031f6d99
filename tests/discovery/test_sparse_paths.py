import itertools

import hypothesis.strategies as st
import torch
from hypothesis import given
from latentlaw.discovery.networks.dense import LatentNetwork
from latentlaw.discovery.networks.sparse_paths import (
    count,
    flat,
    joinable,
    like,
    live_masks,
    strongest_paths,
    without_dead_ends,
)


def drawn(seed, widths, density):
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.rand(out, units, generator=generator) < density).float()
        for units, out in itertools.pairwise(widths)
    ]


TOPOLOGIES = st.builds(
    drawn,
    st.integers(0, 999),
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.sampled_from((0.2, 0.5, 0.8)),
)


def paths_through(masks, layer, row, column):
    """Number of paths from an input to an output through one weight."""
    single = torch.zeros_like(masks[layer])
    single[row, column] = 1
    product = torch.eye(masks[0].shape[1])
    for i, mask in enumerate(masks):
        product = (single if i == layer else mask) @ product
    return float(product.sum())


def test_live_masks_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    live = live_masks([first, second])
    assert live[0].tolist() == [[1, 0], [0, 0], [0, 0]]
    assert live[1].tolist() == [[1, 0, 0], [0, 0, 0]]


@given(TOPOLOGIES)
def test_live_and_joinable_weights_are_those_with_a_path_through_them(masks):
    live, free = live_masks(masks), joinable(masks)
    for layer, mask in enumerate(masks):
        for row in range(len(mask)):
            for column in range(mask.shape[1]):
                through = paths_through(masks, layer, row, column) > 0
                there = bool(mask[row, column])
                assert bool(live[layer][row, column]) == (there and through)
                assert bool(free[layer][row, column]) == (not there and through)


@given(TOPOLOGIES)
def test_flat_and_like_undo_each_other(masks):
    again = like(flat(masks), masks)
    assert all(torch.equal(a, b) for a, b in zip(masks, again, strict=True))
    assert count(masks) == int(flat(masks).sum())


@given(TOPOLOGIES)
def test_each_class_that_can_be_reached_gets_one_path(masks):
    weights = [mask * 0 for mask in masks]  # even where every weight is zero
    chosen = strongest_paths(weights, masks, count(masks))
    reached = live_masks(masks)[-1].sum(1) > 0
    assert (chosen[-1].sum(1) == reached).all()
    assert all((c <= m).all() for c, m in zip(chosen, masks, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(live_masks(chosen), chosen, strict=True))


def test_the_path_of_the_largest_product_is_the_strongest():
    first = torch.tensor([[5.0, 0.1], [0.1, 3.0]])
    second = torch.tensor([[1.0, 2.0]])
    ones = [torch.ones(2, 2), torch.ones(1, 2)]
    chosen = strongest_paths([first, second], ones, 4)
    assert chosen[0].tolist() == [[0, 0], [0, 1]]
    assert chosen[1].tolist() == [[0, 1]]


def test_cutting_dead_ends_leaves_the_function_alone():
    net = LatentNetwork((3, 4, 2), torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.linears[0].bias.fill_(0.7)
        net.linears[0].weight[1] = 0.0  # constant unit
        net.linears[1].weight[:, 2] = 0.0  # unread unit
    cut = without_dead_ends(net)
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(z), cut(z))
    assert cut.complexity < net.complexity
