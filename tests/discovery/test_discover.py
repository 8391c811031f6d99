import json
import time
from dataclasses import replace

import numpy as np
import pytest
from latentlaw.discovery.discover import discover
from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.frontier import Rung
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.errors import ConfigError, DataError
from samples import clusters, planted


@pytest.fixture(scope="module")
def found():
    data, truth = planted()
    cnn = Rung("cnn", "CNN", 300_000, 0.9, 0.9, 0.9)
    return discover(data, engine="operon", budget_s=12, extra_rungs=(cnn,)), data, truth


def test_planted_law_is_recovered(found):
    result, data, truth = found
    predicted = result.model.predict(data.test.latents)
    bayes = (truth == data.test.labels).mean()
    assert (predicted == data.test.labels).mean() >= bayes - 0.04
    assert (predicted == truth).mean() >= 0.97
    assert result.model.latents == ("z0", "z1", "z2")
    assert max(e.complexity for e in result.equations) <= 16


def test_records_are_those_of_the_design(found):
    result, data, _ = found
    frontier = json.loads(json.dumps(result.frontier_records(), allow_nan=False))
    assert {"cnn", "dense", "logistic", "sparse", "equation"} == {r["family"] for r in frontier}
    records = result.equation_records({"z0": "area, r = 0.91"})
    equations = json.loads(json.dumps(records, allow_nan=False))
    assert [e["class"] for e in equations] == ["no", "yes"]
    fields = {"class", "expression", "latex", "complexity", "accuracy", "latents", "found"}
    assert set(equations[0]) == fields
    assert equations[1]["latents"] == {"z0": "area, r = 0.91", "z1": None, "z2": None}
    metrics = result.metrics
    assert metrics["discovery/equation_complexity"] == sum(e["complexity"] for e in equations)
    assert metrics["discovery/blackbox_accuracy"] == 0.9
    assert metrics["discovery/accuracy_ratio"] == pytest.approx(
        metrics["discovery/equation_accuracy"] / 0.9
    )
    again = EquationModel.from_dict(json.loads(json.dumps(result.model.to_dict())))
    np.testing.assert_array_equal(
        again.predict(data.test.latents), result.model.predict(data.test.latents)
    )


def test_same_seed_same_equations_within_the_budget():
    data = clusters()
    started = time.monotonic()
    first, second = (discover(data, engine="operon", budget_s=6, seed=4) for _ in range(2))
    assert time.monotonic() - started < 60
    if first.time_limited or second.time_limited:
        pytest.skip("the machine is too slow now: the clock cut a search, which cannot repeat")
    assert first.equations == second.equations
    assert first.rungs == second.rungs


def test_scaled_and_shifted_latents_come_back_in_their_own_units():
    data, _ = planted(n=500)
    spread = np.array([1e3, 1e-3, 1.0, 1.0, 1.0])
    moved = [
        LatentSplit((s.latents * spread + [0, 0, 500, 0, 0]).astype(np.float32), s.labels)
        for s in (data.train, data.val, data.test)
    ]
    result = discover(
        LatentData(*moved, data.class_names, data.latent_names), engine="operon", budget_s=6
    )
    assert result.metrics["discovery/equation_accuracy"] >= 0.85


def test_constant_latents_are_dropped_and_named():
    data = clusters(n=200, dims=3, names=(r"$\beta$", "two words", "c"))
    parts = [
        LatentSplit(np.concatenate([s.latents, np.full((len(s), 1), 7, np.float32)], 1), s.labels)
        for s in (data.train, data.val, data.test)
    ]
    wide = LatentData(*parts, data.class_names, ("z0", "z1", "z2", "z3"))
    result = discover(wide, engine="operon", budget_s=1)
    assert result.dropped == ("z3",)
    assert [e.class_name for e in result.equations] == [r"$\beta$", "two words", "c"]
    assert "z3" not in " ".join(e.expression for e in result.equations)


def test_two_particles_in_a_class_work():
    data = clusters(n=60, dims=2)
    labels = data.train.labels.copy()
    labels[labels == 2] = 0
    labels[:2] = 2
    data = replace(data, train=LatentSplit(data.train.latents, labels))
    assert len(discover(data, engine="operon", budget_s=1).equations) == 3


def damaged(**change):
    data = clusters(n=60, dims=2)
    latents, labels = data.train.latents.copy(), data.train.labels.copy()
    if "nan" in change:
        latents[3, 1] = np.nan
    if "one" in change:
        labels[:] = 1
    if "absent" in change:
        labels[labels == 2] = 0
    if "flat" in change:
        latents[:] = 0.5
    if "unlabelled" in change:
        labels[0] = -1
    if "short" in change:
        labels = labels[:-1]
    if "empty" in change:
        latents, labels = latents[:0], labels[:0]
    return replace(data, train=LatentSplit(latents, labels))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "NaN"),
        ("one", "two or more classes"),
        ("absent", "no training particle of class 'c'"),
        ("flat", "every latent is constant"),
        ("unlabelled", "labels run from -1"),
        ("short", "shape"),
        ("empty", "empty"),
    ],
)
def test_bad_latents_are_named(fault, message):
    with pytest.raises(DataError, match=message):
        check_latents(damaged(**{fault: True}))


@pytest.mark.parametrize("option", [{"budget_s": 0}, {"max_complexity": 1}, {"threads": 0}])
def test_bad_options_are_refused(option):
    with pytest.raises(ConfigError):
        discover(clusters(n=60), **option)
