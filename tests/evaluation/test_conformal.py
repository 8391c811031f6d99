"""Novelty keeps the false-positive rate that it states, whatever the scores."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.evaluation.head.conformal import calibration_scores, novelty_of
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.evaluation.scores.novelty import detection_rates
from scipy.stats import betabinom

scores = st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(scores)
def test_of_exchangeable_scores_any_is_as_likely_to_have_any_p_value(values: list[float]) -> None:
    """Each in turn is the new one: p-values are super-uniform, and uniform where none are tied."""
    own = np.array(values, dtype=float)
    p = np.array(
        [
            1 - novelty_of(own[[i]], calibration_scores(np.delete(own, i)))[0]
            for i in range(len(own))
        ]
    )
    n = len(own)
    for rank in range(1, n + 1):
        assert (p <= rank / n + 1e-12).sum() <= rank
    if len(set(own.tolist())) == n:
        np.testing.assert_allclose(np.sort(p), np.arange(1, n + 1) / n)


@pytest.mark.parametrize("n", [10, 19, 20, 57, 200])
def test_known_particles_are_called_new_at_most_as_often_as_stated(n: int) -> None:
    """In the mean over calibrations; the variance of one is a beta's."""
    rng = np.random.default_rng(n)
    draws = [
        novelty_of(rng.gumbel(size=50), calibration_scores(rng.gumbel(size=n)))
        for _ in range(4000)
    ]
    rates = (np.array(draws) > 0.95).mean(axis=1)
    called = int(np.ceil(0.05 * (n + 1))) - 1  # ranks
    assert rates.mean() == pytest.approx(called / (n + 1), abs=4 * rates.std() / 60)
    assert called / (n + 1) <= 0.05
    if called:
        assert rates.std() == pytest.approx(betabinom(50, called, n + 1 - called).std() / 50, 0.1)


def test_what_few_calibration_particles_can_say() -> None:
    known = np.arange(20.0)
    assert novelty_of(np.array([99.0]), calibration_scores(known[:19]))[0] == 0.95  # not above
    beyond, beside = novelty_of(np.array([99.0, 18.5]), calibration_scores(known))
    assert beyond == 20 / 21 > 0.95 > beside
    assert novelty_of(np.array([99.0]), ())[0] == 0


def test_a_draw_of_many_calibration_scores_is_even() -> None:
    kept = calibration_scores(np.random.default_rng(0).uniform(size=40_000))
    assert len(kept) == 10_000
    assert list(kept) == sorted(kept)
    np.testing.assert_allclose(np.quantile(kept, [0.05, 0.5, 0.95]), [0.05, 0.5, 0.95], atol=0.01)


def test_rates_are_of_what_is_above_and_the_limit_is_that_of_chance() -> None:
    known = np.array([0.1, 0.95, 0.96, 0.5])
    rates = detection_rates(known, np.array([0.99, 0.2]), 100)
    assert rates["novelty/false_positive_rate"] == 0.25
    assert rates["novelty/detection_rate"] == 0.5
    limit = detection_rates(np.zeros(500), np.array([]), 200)
    assert set(limit) == {"novelty/false_positive_rate", "novelty/false_positive_limit"}
    rng = np.random.default_rng(0)
    draws = [
        (novelty_of(rng.normal(size=500), calibration_scores(rng.normal(size=200))) > 0.95).mean()
        for _ in range(2000)
    ]
    assert limit["novelty/false_positive_limit"] == pytest.approx(np.quantile(draws, 0.975), 0.06)
    assert detection_rates(known, known, 10)["novelty/false_positive_limit"] == 0
    assert detection_rates(known[:0], known[:0], 10) == {}


def test_a_head_logged_with_quantiles_is_read() -> None:
    mu = np.random.default_rng(0).normal(size=(40, 3))
    head = fit_head(mu, np.where(mu[:, 0] > 0, "a", "b"), mu)
    old = json.loads(head.model_dump_json())
    known = old.pop("calibration")
    old["novelty_quantiles"] = np.quantile(known, np.linspace(0, 1, 101)).tolist()
    again = LatentHead.model_validate_json(json.dumps(old))
    np.testing.assert_allclose(again.novelty(mu), head.novelty(mu), atol=0.04)
