"""Explanations of decisions whose boundary is known in closed form."""

import json

import numpy as np
import pytest
from latentlaw.discovery.equations.explain import FARTHEST, explain_decision
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import DataError

NAMES = ("z0", "z1", "z2")
SIGMA = np.array([1.0, 2.0, 0.5])


def laws(*texts, classes=("no", "yes")):
    return EquationModel(classes, NAMES, tuple(parse(text, NAMES) for text in texts))


@pytest.mark.parametrize("latents", [(1.0, 2.0, 3.0), (-4.0, 0.3, 0.0), (0.2, 0.0, 1.0)])
def test_a_linear_logit_flips_at_its_value_over_its_norm(latents):
    model = laws("2*z0 - z1 + 0.5")
    value = 2 * latents[0] - latents[1] + 0.5
    slope = np.array([2.0, -1.0, 0.0]) * SIGMA  # of the value, by standard deviations
    got = explain_decision(model, np.array(latents), SIGMA)
    winner, other = ("yes", "no") if value > 0 else ("no", "yes")
    assert (got.winner, got.runner_up, got.flip.class_name) == (winner, other, other)
    assert got.margin == pytest.approx(abs(value))
    assert got.flip.distance == pytest.approx(abs(value) / np.linalg.norm(slope), rel=1e-4)
    step = (got.flip.latents - latents) / SIGMA
    np.testing.assert_allclose(step, -value * slope / (slope @ slope), rtol=1e-3, atol=1e-5)
    assert got.flip.latents[2] == latents[2]  # which no expression uses


@pytest.mark.parametrize(("radius", "distance"), [(0.0, 1.0), (0.25, 0.75), (3.0, 2.0)])
def test_a_circle_flips_at_the_distance_to_it(radius, distance):
    direction = np.array([0.6, 0.8, 0.0])
    got = explain_decision(laws("z0**2 + z1**2 - 1"), radius * direction, np.ones(3))
    assert got.flip.distance == pytest.approx(distance, rel=1e-4)


def test_the_nearest_of_several_boundaries_is_found():
    # zeros at -3, 0.5 and 2: from 1.4 the nearest is 2, from 1.1 it is 0.5
    model = laws("(z0 + 3)*(z0 - 0.5)*(z0 - 2)")
    for start, end in ((1.4, 2.0), (1.1, 0.5), (-2.5, -3.0)):
        got = explain_decision(model, np.array([start, 0, 0]), np.ones(3))
        assert got.flip.latents[0] == pytest.approx(end, abs=1e-4)


def test_of_three_classes_the_nearest_is_named_which_need_not_be_the_runner_up():
    model = laws("2", "z0", "20*z1 - 9", classes=("a", "b", "c"))
    got = explain_decision(model, np.array([1.0, 0.5, 0.0]), np.ones(3))
    # b is 1 below and 1 away (z0 = 2); c is 1 below too, but 0.05 away (z1 = 0.55)
    assert got.winner == "a"
    assert got.flip.class_name == "c"
    assert got.flip.distance == pytest.approx(0.05, rel=1e-3)
    assert model.predict(got.flip.latents[None])[0] == 2


def test_terms_add_up_and_shares_to_one():
    got = explain_decision(
        laws("2*z0*z1 - 3*z2 + 1", "z0**2", "-z1", classes=("a", "b", "c")), *_at()
    )
    assert got.winner == "a"
    assert [(t.value, t.share) for t in got.terms["a"]] == [(4, 0.5), (3, 0.375), (1, 0.125)]
    for name, own in got.terms.items():
        assert sum(t.share for t in own) == pytest.approx(1)
        assert sum(t.value for t in own) == pytest.approx(got.values[name])


def _at():
    return np.array([1.0, 2.0, -1.0]), SIGMA


@pytest.mark.parametrize("text", ["3 + 0*z0", "z0 - 100", "exp(z0) + 1"])
def test_what_nothing_near_flips_has_no_flip(text):
    got = explain_decision(laws(text), np.zeros(3), np.ones(3))
    assert got.flip is None
    assert json.loads(json.dumps(got.to_dict()))["flip"] is None
    assert FARTHEST < 100


def test_where_an_expression_is_undefined_the_search_goes_on():
    got = explain_decision(laws("log(z0) + z1"), np.array([0.5, 3.0, 0.0]), np.ones(3))
    assert got.winner == "yes"
    assert got.flip.class_name == "no"  # log is undefined, and so no evidence, from z0 = 0 on
    assert got.flip.distance <= 0.5 + 1e-2


def test_record_names_only_latents_that_move():
    record = explain_decision(laws("2*z0 - z1 + 0.5"), *_at()).to_dict()
    assert set(record["flip"]["latents"]) == {"z0", "z1"}
    assert record["latents"] == {"z0": 1.0, "z1": 2.0, "z2": -1.0}
    assert record["expressions"]["yes"]["value"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("latents", "sigma"),
    [
        (np.zeros(2), np.ones(3)),
        (np.zeros(3), np.ones(2)),
        (np.array([np.nan, 0, 0]), np.ones(3)),
        (np.zeros(3), np.array([1.0, 0, 1])),
    ],
)
def test_bad_latents_are_refused(latents, sigma):
    with pytest.raises(DataError, match="latents"):
        explain_decision(laws("z0"), latents, sigma)
