import runpy

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.exports import EquationModule, to_python
from latentlaw.discovery.expressions import parse, symbol, to_latex, to_text
from latentlaw.discovery.programs import LIMIT, bounded, compile_program
from latentlaw.errors import DataError
from latex_reader import read_latex

NAMES = ("z0", "z1", "z2")
POINTS = np.random.default_rng(0).normal(size=(40, 3))
UNARY = ("exp({})", "log({})", "sqrt({})", "tanh({})", "sin({})", "cos({})", "abs({})")
POWERS = ("({})**2", "({})**3", "({})**-1")
BINARY = ("({} + {})", "({} - {})", "({} * {})", "({} / {})")

leaves = st.one_of(st.sampled_from(NAMES), st.floats(0.01, 5).map(lambda c: f"{c:.4g}"))
texts = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(str.format, st.sampled_from((*UNARY, *POWERS)), inner),
        st.builds(str.format, st.sampled_from(BINARY), inner, inner),
    ),
    max_leaves=12,
)


def by_sympy(expression, points):
    """Values in 30 digits, NaN where they are not real."""
    found = []
    for point in points:
        at = {symbol(n): sympy.Float(float(v), 30) for n, v in zip(NAMES, point, strict=True)}
        value = expression.evalf(30, subs=at)
        found.append(float(value) if value.is_real and value.is_number else np.nan)
    return np.array(found)


def steady(model):
    """Rows where rounding does not matter: moving the latents by 1e-11 hardly moves a logit."""
    base = model.logits(POINTS)[:, 1]
    moved = [model.logits(POINTS * (1 + sign * 1e-11))[:, 1] for sign in (1, -1)]
    return np.all([abs(base - m) <= 1e-8 * (1 + abs(base)) for m in moved], axis=0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(texts)
def test_all_exports_agree(tmp_path_factory, text):
    try:
        expression = parse(text, NAMES)
    except DataError:
        assume(False)
    model = EquationModel(("no", "yes"), NAMES, (expression,))
    rows = steady(model)
    ours = model.logits(POINTS)[rows]
    again = EquationModel.from_dict(model.to_dict()).logits(POINTS)[rows]
    np.testing.assert_allclose(again, ours, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        EquationModule(model)(torch.from_numpy(POINTS))[rows], ours, rtol=1e-6, atol=1e-6
    )
    source = tmp_path_factory.mktemp("source") / "law.py"
    source.write_text(to_python(model), encoding="utf-8")
    by_python = np.array([runpy.run_path(str(source))["logits"](p) for p in POINTS[rows].tolist()])
    np.testing.assert_allclose(by_python.reshape(ours.shape), ours, rtol=1e-6, atol=1e-6)
    values = np.clip(by_sympy(expression, POINTS[rows]), -LIMIT, LIMIT) / 2
    raw = compile_program(expression, NAMES).numpy(list(POINTS[rows].T))
    defined = np.isfinite(values) & ~np.isnan(raw)  # SymPy goes through complex numbers
    np.testing.assert_allclose(ours[defined, 1], values[defined], rtol=1e-6, atol=1e-6)
    read = compile_program(read_latex(to_latex(expression)), NAMES).numpy(list(POINTS.T))
    np.testing.assert_allclose(bounded(read)[0][rows] / 2, ours[:, 1], rtol=1e-6, atol=1e-6)


def test_latex_keeps_nine_digits():
    law = parse("2.87654321*z0*z1 - 1.5e-7*z2**2 + tanh(0.333333333*z0)**2", NAMES)
    assert read_latex(to_latex(law)).equals(law)
    assert "2.87654321" in to_latex(law)


@pytest.mark.parametrize(
    ("text", "value", "rate"),
    [("exp(1000.0*z0)", LIMIT, 0.0), ("1/z1", LIMIT, 0.0), ("log(-z0)", 0.0, 1.0)],
)
def test_overflow_and_division_by_zero_stay_finite(text, value, rate, tmp_path):
    model = EquationModel(("no", "yes"), NAMES, (parse(text, NAMES),))
    z = np.array([[2.0, 0.0, 1.0]])
    assert model.logits(z)[0, 1] == value / 2
    assert model.nan_rate(z) == rate
    assert model.torch_logits(torch.from_numpy(z))[0, 1] == value / 2
    (tmp_path / "law.py").write_text(to_python(model), encoding="utf-8")
    assert runpy.run_path(str(tmp_path / "law.py"))["logits"](z[0].tolist())[1] == value / 2


def test_a_thousand_nodes_are_read_and_evaluated():
    terms = [f"{1 + i / 1000}*z{i % 3}**{1 + i % 4}*tanh({i / 100 + 0.5}*z0)" for i in range(150)]
    law = parse(" + ".join(terms), NAMES)
    z0, z1, z2 = POINTS.T
    columns = (z0, z1, z2)
    direct = sum(
        (1 + i / 1000) * columns[i % 3] ** (1 + i % 4) * np.tanh((i / 100 + 0.5) * z0)
        for i in range(150)
    )
    np.testing.assert_allclose(compile_program(law, NAMES).numpy(list(POINTS.T)), direct)
    assert parse(to_text(law), NAMES) == law


def test_what_is_too_large_or_deep_is_refused():
    def balanced(count):
        return "z0" if count == 1 else f"({balanced(count // 2)}+{balanced(count - count // 2)})"

    with pytest.raises(DataError, match="at most"):
        parse(balanced(2048), NAMES)
    with pytest.raises(DataError, match="cannot be read"):
        parse("tanh(" * 150 + "z0" + ")" * 150 + "+" + "-" * 3000 + "z1", NAMES)
