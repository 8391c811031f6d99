import numpy as np
from latentlaw.discovery.baselines.boosting import LEAVES, fit_boosting
from latentlaw.discovery.scores import balanced_accuracy

from tests.discovery.samples import clusters, split_latents


def test_trees_learn_what_no_straight_line_tells_apart():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 3)).astype(np.float32)
    y = (z[:, 0] * z[:, 2] > 0).astype(np.int64)
    data = split_latents(z, y, ("no", "yes"), 3)
    predicted = fit_boosting(data).logits(data.test.latents).argmax(1)
    assert balanced_accuracy(predicted, data.test.labels) > 0.9


def test_complexity_is_splits_and_leaves():
    for classes in (2, 3):
        model = fit_boosting(clusters(classes=classes))
        rounds = model.trees.n_iter_
        trees = rounds * (1 if classes == 2 else classes)
        # A binary tree of L leaves has L - 1 splits.
        assert trees <= model.complexity <= trees * (2 * LEAVES - 1)
        assert (model.complexity - trees) % 2 == 0


def test_logits_are_one_a_class_and_a_seed_repeats():
    for classes in (2, 4):
        data = clusters(classes=classes)
        first, again = (fit_boosting(data, seed=1).logits(data.test.latents) for _ in range(2))
        assert first.shape == (len(data.test), classes)
        np.testing.assert_array_equal(first, again)


def test_fewer_trees_are_kept_where_more_do_not_help_validation():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(2, size=300)
    model = fit_boosting(split_latents(z, y.astype(np.int64), ("a", "b"), 4))
    assert model.trees.n_iter_ < 10
