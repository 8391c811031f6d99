import numpy as np
import pytest
from latentlaw.evaluation.scores.intervals import (
    mean_interval,
    percentile_interval,
    ratio_interval,
)


def test_equal_scores_have_no_interval():
    found = mean_interval(np.full(15, 0.9))
    assert (found.mean, found.low, found.high) == pytest.approx((0.9, 0.9, 0.9))
    assert str(found) == "0.900 [0.900, 0.900]"


def test_interval_of_a_mean_is_that_of_the_normal_distribution():
    scores = np.random.default_rng(0).normal(0.5, 0.1, 400)
    found = mean_interval(scores)
    error = scores.std() / 20
    assert found.mean == pytest.approx(scores.mean())
    assert found.low == pytest.approx(scores.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(scores.mean() + 1.96 * error, abs=0.1 * error)


def test_what_folds_share_cancels_in_a_ratio():
    baseline = np.random.default_rng(0).uniform(0.5, 0.9, 15)
    found = ratio_interval(0.98 * baseline, baseline)
    assert (found.mean, found.low, found.high) == pytest.approx((0.98, 0.98, 0.98))


def test_interval_of_few_units_is_that_of_students_distribution() -> None:
    draws = np.random.default_rng(0).normal(0, 0.1, 100_000)
    many = percentile_interval(0.0, draws)
    few = percentile_interval(0.0, draws, units=10)
    assert many.high == pytest.approx(1.96 * 0.1, rel=0.02)
    assert few.high == pytest.approx(2.262 * np.sqrt(10 / 9) * 0.1, rel=0.02)
    assert percentile_interval(0.0, draws, units=1) == many
