"""A stored law answers as the equations that it was made from, and says what it adds up."""

import json

import numpy as np
import pytest
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.law import Law
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import DataError

NAMES = ("z0", "z1", "z2")
POINTS = np.random.default_rng(0).normal(size=(40, 3))
TWO = ("0.5 + 2.0*z0*z1 - z2**2",)
THREE = ("2.0*z0 - z1 + 0.5", "exp(z2)/z0", "0.1")


def model_of(texts: tuple[str, ...]) -> EquationModel:
    names = ("a", "b", "c") if len(texts) == 3 else ("a", "b")
    return EquationModel(names, NAMES, tuple(parse(text, NAMES) for text in texts))


def stored(texts: tuple[str, ...]) -> dict:
    return json.loads(json.dumps(model_of(texts).to_dict()))


@pytest.mark.parametrize("texts", [TWO, THREE])
def test_a_stored_law_answers_as_the_equations(texts: tuple[str, ...]) -> None:
    model, law = model_of(texts), Law.from_dict(stored(texts))
    np.testing.assert_array_equal(law.probabilities(POINTS), model.predict_proba(POINTS))
    assert law.to_dict() == model.to_dict()


@pytest.mark.parametrize("texts", [TWO, THREE])
def test_value_is_the_log_odds_or_logit_of_the_class_that_won(texts: tuple[str, ...]) -> None:
    model, law = model_of(texts), Law.from_dict(stored(texts))
    winners = model.predict(POINTS)
    assert len(set(winners.tolist())) == len(model.class_names)
    found = law.decisions(POINTS, winners)
    found = {name: found[name] for name in ("value", "terms", "expression")}
    logits = model.logits(POINTS)
    if len(texts) == 1:
        wanted = np.where(winners == 1, 1, -1) * (logits[:, 1] - logits[:, 0])
        assert min(found["value"]) >= 0  # the class that won has the odds
    else:
        wanted = logits[np.arange(len(logits)), winners]
    np.testing.assert_allclose(found["value"], wanted, rtol=1e-12)
    for value, terms, expression in zip(*found.values(), strict=True):
        assert sum(terms.values()) == pytest.approx(value, rel=1e-12)
        assert list(terms.values()) == sorted(terms.values(), key=lambda v: -abs(v))
        assert all(text.lstrip("-") in expression for text in terms)


def test_terms_are_of_one_particle_and_all_classes() -> None:
    law = model_of(("2.0*z0 - z1 + 0.5", "z2", "0.1")).law
    terms = law.terms(np.array([1.0, -1.5, 3.0]))
    assert terms == {
        "a": [("2.0*z0", 2.0), ("-z1", 1.5), ("0.5", 0.5)],
        "b": [("z2", 3.0)],
        "c": [("0.1", 0.1)],
    }


def test_what_is_undefined_is_no_evidence_and_still_json() -> None:
    law = model_of(("log(z0) + 1/z1 + z2", "0.1*z2", "0.1")).law
    row = np.array([[-1.0, 0.0, 2.0]])
    found = law.decisions(row, np.array([0]))
    assert found["value"] == [0.0]
    assert found["terms"] == [{"z2": 2.0, "1/z1": None, "log(z0)": None}]
    json.dumps(found, allow_nan=False)
    assert law.decisions(np.array([[1.0, 0.0, 2.0]]), np.array([0]))["value"] == [1e6]


@pytest.mark.parametrize(
    "step",
    [
        ["load", None, [0]],  # of numpy, not of laws
        ["add", None, [0, 3]],
        ["add", None, [-1]],
        ["variable", 3, []],
        ["variable", True, []],
        ["number", "1", []],
        ["pow", [2], [0]],
        ["exp", None, [0, 0]],
        ["exp"],
        "exp",
    ],
)
def test_steps_that_are_no_arithmetic_are_refused(step: object) -> None:
    record = stored(TWO)
    record["programs"][0] = [["variable", 0, []], step]
    record["terms"][0] = ["z0"]
    with pytest.raises(DataError, match="program: step 1"):
        Law.from_dict(record)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("terms", None, "found no terms"),
        ("latex", ["z"], "found 1, expected one for each of 2"),
        ("terms", [["z0"], ["z0"]], "found 3 terms, expected the 1 named"),
        ("programs", [[], []], "expected a list of steps"),
    ],
)
def test_fields_that_do_not_fit_are_refused(field: str, value: object, message: str) -> None:
    record = stored(TWO) | {field: value}
    if value is None:
        del record[field]
    with pytest.raises(DataError, match=message):
        Law.from_dict(record)
