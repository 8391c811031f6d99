import numpy as np
import pytest
import torch
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.networks import LatentNetwork, fit_dense, fit_logistic, folded
from latentlaw.discovery.sparse import fit_sparse, live_masks, prune, without_dead_ends
from samples import clusters


def test_standardisation_is_folded_into_the_first_layer():
    data = clusters()
    scaling, _ = check_latents(data)
    net = LatentNetwork((8, 6, 3), torch.Generator().manual_seed(1))
    wide = folded(net, scaling, 8)
    standard = torch.as_tensor(scaling.apply(data.val.latents), dtype=torch.float32)
    np.testing.assert_allclose(
        wide.logits(data.val.latents), net(standard).detach().numpy(), atol=1e-5
    )


def test_dense_and_logistic_learn_clusters_and_repeat():
    data = clusters()
    scaling, _ = check_latents(data)
    before = torch.get_rng_state()
    for fit in (fit_dense, fit_logistic):
        net = fit(data, scaling, seed=3)
        right = net.logits(data.test.latents).argmax(1) == data.test.labels
        assert right.mean() >= 0.8
        again = fit(data, scaling, seed=3)
        np.testing.assert_array_equal(
            net.logits(data.test.latents), again.logits(data.test.latents)
        )
    assert torch.equal(before, torch.get_rng_state())  # the global generator is left alone


def test_logistic_counts_its_coefficients():
    data = clusters()
    scaling, _ = check_latents(data)
    assert fit_logistic(data, scaling).complexity == 3 * 8 + 3


def test_sparse_meets_its_budgets_with_live_weights_only():
    data = clusters()
    scaling, _ = check_latents(data)
    models = fit_sparse(data, scaling, budgets=(40, 10))
    assert [m.budget for m in models] == [40, 10]
    for model in models:
        matrices = [layer.weight for layer in model.network.linears]
        masks = [(w != 0).double() for w in matrices]
        assert sum(int(m.sum()) for m in masks) <= model.budget
        assert all(torch.equal(a, b) for a, b in zip(live_masks(masks), masks, strict=True))
        assert (model.network.logits(data.test.latents).argmax(1) == data.test.labels).mean() > 0.6
    assert len(models[-1].latents) <= 8
    z = torch.as_tensor(data.test.latents)
    np.testing.assert_allclose(
        models[0].network.torch_logits(z).detach().numpy(),
        models[0].network.logits(data.test.latents),
        atol=1e-6,
    )


def test_prune_keeps_the_strongest_path_of_each_class():
    first = torch.tensor([[5.0, 0.1], [0.1, 0.2]])  # unit 0 reads z0, unit 1 reads z1
    second = torch.tensor([[4.0, 0.1], [0.1, 0.3]])
    ones = [torch.ones(2, 2), torch.ones(2, 2)]
    masks = prune([first, second], ones, 4)
    assert sum(int(m.sum()) for m in masks) <= 4
    assert masks[0][0, 0] == 1
    assert masks[1][0, 0] == 1
    assert (masks[1].sum(1) > 0).all()  # each class is reached
    assert [m.tolist() for m in live_masks(masks)] == [m.tolist() for m in masks]


def test_live_masks_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    live = live_masks([first, second])
    assert live[0].tolist() == [[1, 0], [0, 0], [0, 0]]
    assert live[1].tolist() == [[1, 0, 0], [0, 0, 0]]


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


@pytest.mark.parametrize("dims", [1, 2])
def test_few_latents_are_enough(dims):
    data = clusters(dims=dims)
    scaling, _ = check_latents(data)
    assert fit_sparse(data, scaling)
