import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from latentlaw.discovery.frontier import Rung, black_box, model_rung
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.networks.dense import fit_logistic
from latentlaw.discovery.pareto import pareto_front
from latentlaw.discovery.scores import (
    accuracy,
    balanced_accuracy,
    log_losses,
    macro_f1,
    one_vs_rest_accuracy,
)
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from tests.discovery.samples import clusters

RUNGS = st.lists(
    st.builds(
        Rung,
        st.just("sparse"),
        st.just("x"),
        st.integers(1, 20),
        st.integers(0, 20).map(lambda i: i / 20),
        st.just(0.5),
        st.just(0.5),
    )
)


@given(RUNGS)
def test_pareto_keeps_exactly_what_nothing_beats(rungs):
    front = pareto_front(rungs, lambda rung: (rung.complexity, -rung.accuracy))
    values = [(r.complexity, r.accuracy) for r in front]
    assert values == sorted(set(values))
    assert [a for _, a in values] == sorted({a for _, a in values})
    for r in rungs:
        beaten = any(
            o.complexity <= r.complexity
            and o.accuracy >= r.accuracy
            and (o.complexity, o.accuracy) != (r.complexity, r.accuracy)
            for o in rungs
        )
        assert ((r.complexity, r.accuracy) in values) == (not beaten)


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(4, size=200), rng.normal(size=(200, 4))
    predicted = logits.argmax(1)
    assert accuracy(predicted, labels) == (predicted == labels).mean()
    assert macro_f1(predicted, labels) == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    assert balanced_accuracy(predicted, labels) == pytest.approx(
        balanced_accuracy_score(labels, predicted)
    )
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert log_losses(logits, labels).mean() == pytest.approx(log_loss(labels, p))
    assert one_vs_rest_accuracy(np.array([0, 1, 2]), np.array([0, 2, 2]), 2) == pytest.approx(
        2 / 3
    )


def test_record_has_the_fields_of_the_design():
    record = Rung("cnn", "CNN", 9, 0.5, 0.4, 0.3).to_dict()
    assert list(record) == ["family", "name", "complexity", "accuracy", "macro_f1"]


def test_the_black_box_is_the_better_one_on_validation_not_on_test():
    cnn = Rung("cnn", "CNN", 300_000, 0.95, 0.9, 0.9, 0.80)
    resnet = Rung("resnet", "ResNet", 200_000, 0.90, 0.9, 0.9, 0.85)
    other = Rung("dense", "dense", 1000, 0.99, 0.9, 0.9, 0.99)
    assert black_box([cnn, other, resnet]) is resnet
    assert black_box([cnn, other]) is cnn
    assert black_box([other]) is None
    tie = Rung("resnet", "ResNet", 200_000, 0.90, 0.9, 0.9, 0.80)
    assert black_box([cnn, tie]) is tie  # the simpler
    with pytest.raises(ValueError, match="validation accuracy"):
        black_box([cnn, Rung("resnet", "ResNet", 200_000, 0.90, 0.9, 0.9)])


def test_a_model_is_scored_on_test_and_chosen_on_validation():
    data = clusters()
    scaling, _ = check_latents(data)
    model = fit_logistic(data, scaling)
    rung = model_rung(data, model, "logistic", "logistic regression")
    answers = model.logits(data.test.latents).argmax(1)
    assert rung.accuracy == (answers == data.test.labels).mean()
    answers, labels = model.logits(data.val.latents).argmax(1), data.val.labels
    recalls = [(answers[labels == k] == k).mean() for k in range(data.classes)]
    assert rung.val_balanced_accuracy == pytest.approx(np.mean(recalls))
    assert rung.complexity == model.complexity
