import pytest
import torch
from latentlaw.discovery.robustness import attack, attack_accuracies
from latentlaw.errors import ConfigError

WEIGHTS = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])


def linear(images):
    return images.flatten(1) @ WEIGHTS.T


def line_of(margins):
    """Images `(n, 1, 1, 3)` whose second logit is `margins`."""
    unit = WEIGHTS[1] / WEIGHTS[1].pow(2).sum()
    return (torch.tensor(margins)[:, None] * unit).view(-1, 1, 1, 3)


@pytest.mark.parametrize("steps", [1, 10])
def test_a_linear_model_falls_where_the_l1_norm_says(steps):
    # the worst change of w.x within epsilon is epsilon * |w|_1 = 3.5 epsilon
    images = line_of([0.3, 0.8, 1.5, 3.0])
    labels = torch.ones(4, dtype=torch.int64)
    got = attack_accuracies(linear, images, labels, [0.0, 0.1, 0.3, 0.5, 1.0], steps=steps)
    assert got == {0.0: 1.0, 0.1: 0.75, 0.3: 0.5, 0.5: 0.25, 1.0: 0.0}


def test_fgsm_moves_every_pixel_by_epsilon_and_keeps_bounds():
    images, labels = line_of([1.0]), torch.tensor([1])
    moved = attack(linear, images, labels, 0.2)
    torch.testing.assert_close(
        (moved - images).flatten(), torch.tensor([-0.2, 0.2, -0.2]), atol=1e-6, rtol=0
    )
    kept = attack(linear, images, labels, 0.2, bounds=(-0.1, 0.1))
    assert kept.abs().max() <= 0.1 + 1e-7


def test_a_constant_model_is_not_moved():
    images = line_of([1.0])
    same = attack(lambda x: 0 * linear(x), images, torch.tensor([1]), 0.5)
    torch.testing.assert_close(same, images)


@pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf")])
def test_a_bad_radius_is_refused(epsilon):
    with pytest.raises(ConfigError, match="epsilon"):
        attack_accuracies(linear, line_of([1.0]), torch.tensor([1]), [epsilon])
