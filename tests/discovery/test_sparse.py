import itertools

import numpy as np
import pytest
import torch
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.networks.magnitude import prune
from latentlaw.discovery.networks.sparse import METHODS, fit_sparse
from latentlaw.discovery.networks.sparse_paths import live_masks

from tests.discovery.samples import clusters


@pytest.mark.parametrize("method", METHODS)
def test_budgets_are_met_with_live_weights_only(method):
    data = clusters()
    scaling, _ = check_latents(data)
    models = fit_sparse(data, scaling, method=method, budgets=(10, 40))
    assert [m.budget for m in models] == [40, 10]
    for model in models:
        matrices = [layer.weight for layer in model.network.linears]
        masks = [(w != 0).double() for w in matrices]
        assert sum(int(m.sum()) for m in masks) <= model.budget
        assert all(torch.equal(a, b) for a, b in zip(live_masks(masks), masks, strict=True))
        assert (model.network.logits(data.test.latents).argmax(1) == data.test.labels).mean() > 0.6
        used = [f"z{i}" for i in masks[0].any(0).nonzero().flatten().tolist()]
        assert list(model.latents) == used
    z = torch.as_tensor(data.test.latents)
    np.testing.assert_allclose(
        models[0].network.torch_logits(z).detach().numpy(),
        models[0].network.logits(data.test.latents),
        atol=1e-6,
    )


@pytest.mark.parametrize(("method", "dims"), [*itertools.product(METHODS, [1, 2])])
def test_few_latents_are_enough(method, dims):
    data = clusters(dims=dims)
    scaling, _ = check_latents(data)
    assert fit_sparse(data, scaling, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_budgets_that_cannot_be_met_are_left_out(method):
    data = clusters(n=60, dims=2)
    scaling, _ = check_latents(data)
    # One path that forks to three classes has 4 weights; all of 2 x 16 x 3 are 80.
    models = fit_sparse(data, scaling, method=method, budgets=(3, 4, 79, 80, 400))
    assert [m.budget for m in models] == [79, 4]


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
