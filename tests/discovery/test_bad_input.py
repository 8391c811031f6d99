"""Latents that discovery cannot use are named; those that look odd and can be used, are."""

import time
from dataclasses import replace

import numpy as np
import pytest
from latentlaw.discovery.discover import discover_laws
from latentlaw.discovery.latents import LatentSplit
from latentlaw.errors import DataError

from tests.discovery.samples import clusters

AWKWARD = (r"$\beta$-tubulin_{2} & co", "two words", "")


def with_train(data, latents=None, labels=None):
    """`data` with other latents or labels in training."""
    train = data.train
    latents = train.latents if latents is None else latents
    labels = train.labels if labels is None else labels
    return replace(data, train=LatentSplit(latents, labels))


def spoilt(latents, value):
    """One latent of one particle."""
    latents = latents.copy()
    latents[3, 1] = value
    return latents


def found(data, **options):
    return discover_laws(data, engine="operon", budget_s=1, threads=1, **options)


def families(result):
    return {rung.family for rung in result.rungs}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda z, y: (z, 0 * y), r"found 1 class in the training split, expected two.*; give"),
        (lambda z, y: (z, np.where(y == 2, 0, y)), "found no training particle of class 'c'; add"),
        (lambda z, y: (0 * z + 0.5, y), "every one constant .*; train the model longer"),
        (
            lambda z, y: (spoilt(z, np.nan), y),
            "train latents: found NaN.* 1 of 36 particles .*in z1.*; check that",
        ),
        (
            lambda z, y: (spoilt(z, np.inf), y),
            "train latents: found .* infinite.* 1 of 36 .*in z1",
        ),
        (lambda z, y: (z, y - 1), "train labels: found -1 .*; leave unlabelled"),
        (lambda z, y: (z, y[:-1]), r"train latents: found shape \(36, 2\), expected \(35, 2\)"),
        (lambda z, y: (z[:0], y[:0]), "train latents: found no particle; give"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(fault, message):
    data = clusters(n=60, dims=2)
    latents, labels = fault(data.train.latents, data.train.labels)
    with pytest.raises(DataError, match=message) as raised:
        found(with_train(data, latents, labels))
    assert "\n" not in str(raised.value)


def test_two_particles_in_a_class_are_enough():
    data = clusters(n=60, dims=2)
    labels = data.train.labels.copy()
    labels[labels == 2] = 0
    labels[:2] = 2
    result = found(with_train(data, labels=labels))
    assert families(result) == {"boosting", "dense", "logistic", "sparse", "equation"}
    assert len(result.equations) == 3
    assert all(np.isfinite(list(result.metrics.values())))


def test_a_class_that_validation_and_test_lack_is_enough():
    data = clusters(n=60, dims=2)
    val, test = (
        LatentSplit(split.latents, np.where(split.labels == 2, 0, split.labels))
        for split in (data.val, data.test)
    )
    result = found(replace(data, val=val, test=test))
    assert len(result.equations) == 3
    assert all(np.isfinite(list(result.metrics.values())))


def test_constant_latents_are_dropped_and_named():
    data = clusters(n=100, dims=3)
    train, val, test = (
        LatentSplit(np.insert(split.latents, [0, 3], 7, axis=1), split.labels)
        for split in (data.train, data.val, data.test)
    )
    names = tuple(f"z{i}" for i in range(5))
    result = found(replace(data, train=train, val=val, test=test, latent_names=names))
    assert result.dropped == ("z0", "z4")
    used = {name for equation in result.equations for name in equation.latents}
    used |= {name for model in result.sparse for name in model.latents}
    assert used
    assert used <= {"z1", "z2", "z3"}


def test_two_hundred_latents_of_which_two_matter_are_done_in_time():
    rng = np.random.default_rng(0)
    data = clusters(n=400, dims=200)
    train, val, test = (
        LatentSplit(rng.normal(size=split.latents.shape).astype(np.float32), split.labels)
        for split in (data.train, data.val, data.test)
    )
    for split in (train, val, test):
        split.latents[:, 77] += 3 * (split.labels == 1)
        split.latents[:, 140] += 3 * (split.labels == 2)
    wide = replace(data, train=train, val=val, test=test)
    started = time.process_time()
    result = discover_laws(wide, engine="operon", budget_s=20, threads=1)
    assert time.process_time() - started < 22  # of this process, however busy the machine is
    assert families(result) == {"boosting", "dense", "logistic", "sparse", "equation"}
    assert result.metrics["discovery/equation_accuracy"] > 0.7  # 0.33 is chance
    assert {"z77", "z140"} <= set(result.model.latents)
    assert len(result.model.latents) < 20  # a busy machine searches less in the same time


def test_class_names_are_text_whatever_they_hold():
    result = found(clusters(n=60, dims=2, names=AWKWARD))
    assert [record["class"] for record in result.equation_records()] == list(AWKWARD)
    for equation in result.equations:
        assert "tubulin" not in equation.expression + equation.latex


def test_classes_of_one_name_are_refused():
    with pytest.raises(DataError, match="class_names: found"):
        found(clusters(n=60, dims=2, names=("a", "b", "a")))
