import numpy as np
import pytest
import torch
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import (
    complexity,
    latents_of,
    parse,
    round_significant,
    snap,
    tidy,
    to_latex,
    to_text,
)
from latentlaw.discovery.equations.model import EquationModel, unscale
from latentlaw.discovery.equations.programs import bounded
from latentlaw.errors import DataError

NAMES = ("z0", "z1", "z2")


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("z0", 1),
        ("2.5", 1),
        ("z0*z1*z2", 5),
        ("2.9*z0*z1 - 1.1*z2**2 + 0.5", 12),
        ("z0 - z1", 3),
        ("-z0 - z1", 4),
        ("-2.0*z0 - z1", 5),
        ("-z0", 2),
        ("-2.0*z0", 3),
        ("square(z0)", 2),
        ("z0**3", 2),
        ("z0**4", 3),
        ("sqrt(z0)", 2),
        ("z0/z1", 3),
        ("1/z0", 3),
        ("z0/(z1*z2)", 5),
        ("exp(-z0) + tanh(z1)", 6),
        ("abs(z0 + 1.5)", 4),
    ],
)
def test_complexity_of_hand_counted_trees(text, nodes):
    assert complexity(parse(text, NAMES)) == nodes


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "z0.__class__",
        "(lambda: 1)()",
        "z9 + 1",
        "eval('1')",
        "exp(z0, z1)",
        "z0 if z1 else z2",
        "[z0]",
        "'z0'",
        "z0**z1",
        "z0**100000",
        "9**9**9**9",
        "1/0",
        "sqrt(-1)",
        "True",
        "z0 +",
        "",
        "(" * 5000 + "z0" + ")" * 5000,
    ],
)
def test_parser_refuses_all_but_arithmetic(text):
    with pytest.raises(DataError):
        parse(text, NAMES)


def test_text_keeps_every_bit_of_a_constant():
    value = 0.1 + 0.2
    expression = parse(repr(value), NAMES) * parse("z0", NAMES)
    assert parse(to_text(expression), NAMES) == expression
    assert repr(value) in to_text(expression)


def test_latex_and_rounding():
    expression = snap(parse("2.8712*z0*z1 - 0.00012349*z2", NAMES), 3)
    assert to_text(expression) == "2.87*z0*z1 - 0.000123*z2"
    assert r"z_{0}" in to_latex(expression)
    assert r"10^{-7}" in to_latex(parse("1.5e-7*z0", NAMES))
    assert round_significant(-1234.5, 2) == -1200.0
    assert latents_of(expression) == ("z0", "z1", "z2")


def test_tidy_pushes_constants_into_sums():
    assert complexity(tidy(parse("2.0*z2*(0.5*z0 + 1.5*z1)", NAMES))) <= 9


def test_unscale_substitutes_back():
    scaled = parse("2.0*z0 + z1*z1", NAMES)
    raw = unscale(scaled, NAMES, [1000.0, 0.0, 0.0], [10.0, 1.0, 1.0])
    z = np.array([[1010.0, 3.0, 0.0]])
    assert compile_program(raw, NAMES).numpy(list(z.T))[0] == pytest.approx(2.0 + 9.0)


def test_numpy_and_torch_agree():
    text = "exp(0.3*z0) - tanh(z1)*z2**2/(1.0 + abs(z0)) + sin(z1)*cos(z2) - 0.2*z1**3"
    program = compile_program(parse(text, NAMES), NAMES)
    z = np.random.default_rng(0).normal(size=(200, 3))
    by_numpy = program.numpy(list(z.T))
    by_torch = program.torch(torch.as_tensor(z)).numpy()
    z0, z1, z2 = z.T
    direct = np.exp(0.3 * z0) - np.tanh(z1) * z2**2 / (1 + abs(z0))
    direct += np.sin(z1) * np.cos(z2) - 0.2 * z1**3
    np.testing.assert_allclose(by_numpy, by_torch, atol=1e-6)
    np.testing.assert_allclose(by_numpy, direct, atol=1e-12)


def test_undefined_values_are_zero_and_counted():
    program = compile_program(parse("log(z0)", NAMES), NAMES)
    safe, rate = bounded(program.numpy([np.array([1.0, -1.0, 0.0]), np.zeros(3), np.zeros(3)]))
    assert safe.tolist() == [0.0, 0.0, -1e6]
    assert rate == pytest.approx(1 / 3)


def model_of(*texts, classes):
    return EquationModel(classes, NAMES, tuple(parse(t, NAMES) for t in texts))


@pytest.mark.parametrize("count", [2, 3])
def test_model_round_trip_and_torch(count):
    texts = ["2.9*z0*z1 - 1.1*z2**2 + 0.5", "z1 - 0.25", "0.7"][: 1 if count == 2 else 3]
    names = (r"$\alpha$ cell", "G 1", "late_mitosis")[:count]
    model = model_of(*texts, classes=names)
    again = EquationModel.from_dict(model.to_dict())
    z = np.random.default_rng(1).normal(size=(50, 3))
    np.testing.assert_array_equal(model.logits(z), again.logits(z))
    np.testing.assert_allclose(model.predict_proba(z).sum(1), 1.0)
    torch_logits = model.torch_logits(torch.as_tensor(z)).numpy()
    np.testing.assert_allclose(model.logits(z), torch_logits, atol=1e-6)
    assert len(model.expressions) == count
    assert model.complexity == sum(map(complexity, model.expressions))


def test_two_classes_share_one_log_odds():
    model = model_of("2.0*z0", classes=("a", "b"))
    z = np.array([[1.5, 0.0, 0.0]])
    assert model.predict_proba(z)[0, 1] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert to_text(model.expressions[0]) == "-2.0*z0"


def test_model_refuses_bad_records():
    with pytest.raises(DataError, match=r"equations: found no expressions, latent_names"):
        EquationModel.from_dict({"class_names": ["a", "b"]})
    record = model_of("z0", classes=("a", "b")).to_dict()
    with pytest.raises(DataError):
        EquationModel.from_dict({**record, "expressions": ["z0"]})
    with pytest.raises(DataError):
        EquationModel.from_dict({**record, "expressions": ["z0", "__import__('os')"]})
    with pytest.raises(DataError, match="shape"):
        model_of("z0", classes=("a", "b")).logits(np.zeros((2, 5)))


@pytest.mark.parametrize("text", ["(z0**9)**9", "((z0**2)**2)**-4"])
def test_powers_of_powers_are_held_to_the_largest(text):
    with pytest.raises(DataError, match=r"a power of powers beyond \+-9"):
        parse(text, ["z0"])
