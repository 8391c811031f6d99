import ctypes
import json
import runpy
import shutil
import subprocess
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import parse, symbol, to_latex
from latentlaw.discovery.equations.law import Law
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.discovery.equations.programs import LIMIT, bounded
from latentlaw.discovery.export.c import to_c
from latentlaw.discovery.export.latex import to_latex_fragment
from latentlaw.discovery.export.python import to_python
from latentlaw.errors import DataError

from tests.discovery.latex_reader import read_latex

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


def compiled(law, folder):
    """The law's C as functions of one particle: logits, and the index of the class."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, header = to_c(law)
    (folder / "law.c").write_text(source)
    (folder / "law.h").write_text(header)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC"]
    command = [compiler, *strict, "law.c", "-lm", "-o", "law.so"]
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "law.so"))

    def call(name, point):
        z, out = (ctypes.c_double * len(NAMES))(*point), (ctypes.c_double * len(law.classes))()
        getattr(library, name)(z, out)
        return list(out)

    def classify(point):
        return library.law_classify((ctypes.c_double * len(NAMES))(*point))

    return partial(call, "law_logits"), partial(call, "law_probabilities"), classify


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
    assert Law.from_dict(json.loads(json.dumps(model.to_dict()))) == model.law
    again = EquationModel.from_dict(model.to_dict()).logits(POINTS)[rows]
    np.testing.assert_allclose(again, ours, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        model.torch_logits(torch.from_numpy(POINTS))[rows], ours, rtol=1e-6, atol=1e-6
    )
    source = tmp_path_factory.mktemp("source") / "law.py"
    source.write_text(to_python(model.law), encoding="utf-8")
    by_python = np.array([runpy.run_path(str(source))["logits"](p) for p in POINTS[rows].tolist()])
    np.testing.assert_allclose(by_python.reshape(ours.shape), ours, rtol=1e-6, atol=1e-6)
    values = np.clip(by_sympy(expression, POINTS[rows]), -LIMIT, LIMIT) / 2
    raw = compile_program(expression, NAMES).numpy(list(POINTS[rows].T))
    defined = np.isfinite(values) & ~np.isnan(raw)  # SymPy goes through complex numbers
    np.testing.assert_allclose(ours[defined, 1], values[defined], rtol=1e-6, atol=1e-6)
    read = compile_program(read_latex(to_latex(expression)), NAMES).numpy(list(POINTS.T))
    np.testing.assert_allclose(bounded(read)[0][rows] / 2, ours[:, 1], rtol=1e-6, atol=1e-6)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(texts, min_size=40, max_size=40))
def test_c_agrees_with_numpy(tmp_path_factory, found):
    """Many expressions are compiled at once, each as the law of a class."""
    expressions = []
    for text in found:
        with suppress(DataError):
            expressions.append(parse(text, NAMES))
    assume(len(expressions) > 2)
    model = EquationModel(
        tuple(f"c{k}" for k in range(len(expressions))), NAMES, tuple(expressions)
    )
    logits, probabilities, classify = compiled(model.law, tmp_path_factory.mktemp("c"))
    ours = model.logits(POINTS)
    close = [
        np.abs(model.logits(POINTS * (1 + sign * 1e-11)) - ours) <= 1e-8 * (1 + np.abs(ours))
        for sign in (1, -1)
    ]
    steady_values = np.logical_and(*close)
    assert steady_values.mean() > 0.5
    by_c = np.array([logits(point) for point in POINTS])
    np.testing.assert_allclose(by_c[steady_values], ours[steady_values], rtol=1e-6, atol=1e-6)
    rows = steady_values.all(axis=1)
    by_c = np.array([probabilities(point) for point in POINTS[rows]]).reshape(-1, ours.shape[1])
    np.testing.assert_allclose(by_c, model.predict_proba(POINTS[rows]), rtol=1e-5, atol=1e-6)
    assert [classify(point) for point in POINTS[rows]] == model.predict(POINTS[rows]).tolist()


UNDEFINED = ("log(z0) + z2", "1/z1", "sqrt(z0)", "exp(1000*z2)", "-1/z1", "sin(1/z1)", "z0**-3")


def test_undefined_and_infinite_values_are_alike_in_every_language(tmp_path):
    laws = tuple(parse(text, NAMES) for text in UNDEFINED)
    model = EquationModel(tuple("abcdefg"), NAMES, laws)
    points = np.array([[-1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, -0.0, 0.0], [2.0, 1.0, 0.5]])
    ours = model.logits(points)
    assert ours[0].tolist()[:4] == [0, 1e6, 0, 1e6]
    logits, _, _ = compiled(model.law, tmp_path)
    (tmp_path / "law.py").write_text(to_python(model.law))
    by_python = runpy.run_path(str(tmp_path / "law.py"))["logits"]
    for point, wanted in zip(points.tolist(), ours.tolist(), strict=True):
        assert by_python(point) == pytest.approx(wanted, rel=1e-12)
        assert logits(point) == pytest.approx(wanted, rel=1e-12)


def test_python_and_c_tell_two_classes_of_any_name(tmp_path):
    names = ('80S "new"\\n', "Zellkern-ä??/*")
    law = EquationModel(names, NAMES, (parse("0.5 - 2.0*z0*z1", NAMES),)).law
    (tmp_path / "law.py").write_text(to_python(law), encoding="utf-8")
    module = runpy.run_path(str(tmp_path / "law.py"))
    _, probabilities, classify = compiled(law, tmp_path)
    library = ctypes.CDLL(str(tmp_path / "law.so"))
    stored = (ctypes.c_char_p * 2).in_dll(library, "law_class_names")
    assert tuple(name.decode() for name in stored) == names == tuple(module["CLASSES"])
    for point in POINTS[:5].tolist():
        wanted = law.probabilities(np.array([point]))[0]
        assert module["probabilities"](point) == pytest.approx(wanted.tolist())
        assert probabilities(point) == pytest.approx(wanted.tolist())
        assert module["classify"](point) == names[classify(point)] == names[wanted.argmax()]


def test_c_is_refused_by_compilers_that_drop_nan(tmp_path):
    compiled(EquationModel(("a", "b"), NAMES, (parse("z0", NAMES),)).law, tmp_path)
    fast = ["cc", "-ffast-math", "-c", "law.c"]
    assert subprocess.run(fast, cwd=tmp_path, capture_output=True, check=False).returncode


def test_a_latex_fragment_says_all_and_breaks_long_sums():
    texts = (
        "2.5*z0*(z1 - 0.5)**2 + tanh(z2)",
        *(" + ".join(f"{i}.5*z{i % 3}**{1 + i % 4}*tanh(z1)" for i in range(1, 13)),),
    )
    model = EquationModel(
        ("a_b", "50 %", "c"), NAMES, tuple(parse(t, NAMES) for t in (*texts, "z0"))
    )
    fragment = to_latex_fragment(model.law, {"z0": "area & size"})
    body = fragment.split("\\begin{align*}\n")[1].split("\n\\end{align*}")[0]
    rows = body.replace(" \\\\\n  &\\quad ", " ").split(" \\\\\n")
    assert [row.split(" &= ")[0].strip() for row in rows] == [
        "f_{\\text{a\\_b}}", "f_{\\text{50 \\%}}", "f_{\\text{c}}"
    ]  # fmt: skip
    for row, expression in zip(rows, model.expressions, strict=True):
        read = compile_program(read_latex(row.split(" &= ")[1]), NAMES).numpy(list(POINTS.T))
        np.testing.assert_allclose(read, compile_program(expression, NAMES).numpy(list(POINTS.T)))
    assert max(map(len, body.splitlines())) < 200 < len(rows[1])
    assert "\\item[$z_{0}$] area \\& size" in fragment
    assert "What $z_{1}$, $z_{2}$ mean in an image is not known." in fragment
    assert "e^{f_k}" in fragment


def test_latex_keeps_nine_digits():
    law = parse("2.87654321*z0*z1 - 1.5e-7*z2**2 + tanh(0.333333333*z0)**2", NAMES)
    assert read_latex(to_latex(law)).equals(law)
    assert "2.87654321" in to_latex(law)
