import numpy as np
import torch
from latentlaw.losses.balance import balanced_weights
from sklearn.utils.class_weight import compute_class_weight


def test_weights_are_those_of_scikit_learn_and_their_mean_is_one() -> None:
    labels = torch.tensor([0] * 7 + [1] * 2 + [2])
    weights = balanced_weights(labels, 3)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    np.testing.assert_allclose(weights, wanted, rtol=1e-6)
    torch.testing.assert_close(weights[labels].mean(), torch.tensor(1.0))


def test_a_class_without_a_label_has_a_finite_weight() -> None:
    weights = balanced_weights(torch.tensor([0, 0]), 3)
    torch.testing.assert_close(weights, torch.tensor([1 / 3, 2 / 3, 2 / 3]))
