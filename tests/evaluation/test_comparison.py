"""Measures of models on the same particles: against scikit-learn, and against known variances."""

import numpy as np
import pytest
from latentlaw.errors import DataError
from latentlaw.evaluation.scores.comparison import MEASURES, Answers, compare, is_not_worse, score
from latentlaw.evaluation.scores.intervals import Interval
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, silhouette_score


def sample(
    n: int, *, right: float, groups: int, seed: int = 0
) -> tuple[np.ndarray, Answers, np.ndarray]:
    """True classes, answers of which a share is right, and groups."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    predicted = np.where(
        generator.random(n) < right, truth, generator.choice(["a", "b", "c", "d"], n)
    )
    mu = generator.normal(size=(n, 3)) + (truth == "a")[:, None]
    return (
        truth,
        Answers(predicted, mu),
        np.arange(n).astype(str)
        if not groups
        else (generator.integers(groups, size=n).astype(str)),
    )


@pytest.mark.parametrize("groups", [3, 40])
def test_values_are_those_of_scikit_learn(groups: int) -> None:
    truth, answers, group = sample(300, right=0.7, groups=groups)
    found = {m: score(m, truth, answers, group).value.mean for m in MEASURES}
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, answers.predicted))
    f1 = f1_score(truth, answers.predicted, average="macro", labels=["a", "b", "c"])
    assert found["macro_f1"] == pytest.approx(f1)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        balanced = balanced_accuracy_score(truth, answers.predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    silhouette = silhouette_score(answers.mu, truth, metric="cosine")
    assert found["silhouette"] == pytest.approx(silhouette)


def test_interval_of_accuracy_is_that_of_the_binomial_distribution() -> None:
    truth, answers, group = sample(2000, right=0.7, groups=0)
    found = score("accuracy", truth, answers, group).value
    error = np.sqrt(found.mean * (1 - found.mean) / 2000)
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.1 * error)


def test_groups_that_are_right_or_wrong_as_a_whole_count_as_one_each() -> None:
    truth = np.array(["a", "b"] * 500)
    group = np.repeat(np.arange(20), 50).astype(str)
    wrong = np.where(truth == "a", "b", "a")
    answers = Answers(
        np.where(np.repeat(np.arange(20) % 2 == 0, 50), truth, wrong), truth[:, None]
    )
    found = score("accuracy", truth, answers, group.astype(str))
    assert (found.drawn, found.groups, found.particles) == ("group", 20, 1000)
    error = np.sqrt(0.25 / 19) * 2.093  # Student's t of 20 groups, not of 1000 particles
    assert found.value.high - found.value.low == pytest.approx(2 * error, rel=0.1)
    few = score("accuracy", truth, answers, np.repeat(np.arange(5), 200).astype(str))
    assert few.drawn == "particle"
    assert few.value.high - few.value.low == pytest.approx(
        2 * 1.96 * np.sqrt(0.25 / 1000), rel=0.1
    )


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("groups", [1, 40])
def test_a_model_differs_from_itself_by_nothing(measure: str, groups: int) -> None:
    truth, answers, group = sample(200, right=0.6, groups=groups)
    found = compare(measure, truth, answers, answers, group)
    assert found.difference == Interval(0, 0, 0)
    assert found.first.value.low < found.first.value.high


def test_what_both_err_on_cancels_in_the_difference() -> None:
    truth, answers, group = sample(1000, right=0.5, groups=0)
    better = answers.predicted.copy()
    mended = np.flatnonzero(better != truth)[:20]
    better[mended] = truth[mended]
    found = compare("accuracy", truth, Answers(better, answers.mu), answers, group)
    assert found.difference.mean == pytest.approx(0.02)
    assert 0 < found.difference.low < 0.02 < found.difference.high
    width = found.difference.high - found.difference.low
    assert width < 0.4 * (found.first.value.high - found.first.value.low)


def test_not_worse_means_the_lower_end_of_the_interval() -> None:
    assert is_not_worse(Interval(0.01, -0.02, 0.04), 0.02)
    assert not is_not_worse(Interval(0.01, -0.021, 0.04), 0.02)
    assert is_not_worse(Interval(0.0, 0.0, 0.0), 0.0)


def test_what_cannot_be_measured_is_refused() -> None:
    nothing = Answers(np.array([], dtype=str), np.zeros((0, 2)))
    with pytest.raises(DataError, match="no held-out particle"):
        score("accuracy", nothing.predicted, nothing, nothing.predicted)
    one = np.array(["a"] * 5)
    with pytest.raises(DataError, match="silhouette: found 1 class in 5"):
        score("silhouette", one, Answers(one, np.eye(5)), one)
