import numpy as np
import torch
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.networks.dense import LatentNetwork, fit_dense, fit_logistic, folded
from latentlaw.discovery.scores import balanced_accuracy, balanced_log_loss, log_losses

from tests.discovery.samples import clusters, split_latents


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


def imbalanced(seed=0, n=1500):
    """One class in ten, a standard deviation and a half from the others in each of two latents."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.1).astype(np.int64)
    z = (rng.normal(size=(n, 2)) + 1.5 * y[:, None]).astype(np.float32)
    return split_latents(z, y, ("often", "rare"), 2)


def test_classes_weigh_alike_in_training():
    data = imbalanced()
    scaling, _ = check_latents(data)
    for fit in (fit_dense, fit_logistic):
        predicted = fit(data, scaling).logits(data.test.latents).argmax(1)
        # The best rule, the mean latent above 0.75, is right in 86 % of either class.
        assert balanced_accuracy(predicted, data.test.labels) > 0.8


def test_balanced_log_loss_is_the_mean_over_classes_of_their_means():
    data = imbalanced()
    labels = data.train.labels
    logits = np.random.default_rng(0).normal(size=(len(labels), 2))
    wanted = np.mean([log_losses(logits, labels)[labels == k].mean() for k in (0, 1)])
    found = balanced_log_loss(logits, labels, data.class_weights)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
