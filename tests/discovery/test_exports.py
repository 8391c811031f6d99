import runpy

import numpy as np
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from latentlaw.discovery.compiling import compile_program
from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.exports import EquationModule, to_python
from latentlaw.discovery.expressions import parse, symbol, to_latex
from latentlaw.discovery.programs import LIMIT, bounded
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
