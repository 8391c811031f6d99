"""PySR's adapter: what can be told without Julia, and the search where Julia is."""

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.search.engines import pysr as pysr_engine
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.pysr import PySREngine, read_front
from latentlaw.discovery.search.engines.selection import select_engine
from latentlaw.errors import EngineError

NAMES = ("z0", "z1", "z2")
INSTALLED = Path(pysr_engine.importlib.util.find_spec("pysr").origin).parent
# Written by hand, no search made it: each of our operators in the form that PySR prints.
HAND_WRITTEN = """Complexity,Loss,Equation
1,2.0,"0.5"
3,1.5,"z0 - 1.25e-1"
9,0.4,"((z0 * 2.9) * z1) - (square(z2) * 1.1)"
12,0.3,"(tanh(z0) / exp(z1 * -0.5)) + abs(sin(z2) - cos(z0))"
14,0.2,"sqrt(square(z0) + 1.0) - log(abs(z1) + 2.0)"
"""
BINARY, UNARY = (
    ("add", "sub", "mul", "div"),
    ("square", "exp", "log", "tanh", "sin", "cos", "abs", "sqrt"),
)


def pysr_own_table():
    """The hall of fame in PySR's own test of `from_file`, and its indentation taken off."""
    source = (INSTALLED / "test" / "test_main.py").read_text(encoding="utf-8")
    tests = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    test = next(n for n in tests if n.name == "test_load_model")
    texts = [n.value for n in ast.walk(test) if isinstance(n, ast.Constant)]
    table = next(t for t in texts if str(t).startswith("Complexity,Loss,Equation"))
    return "\n".join(line.strip() for line in table.splitlines()) + "\n"


def by_pysr(folder, names, binary, unary):
    """What PySR itself reads, by a stub of juliacall in another process."""
    script = Path(__file__).with_name("stub_julia.py")
    lists = (",".join(part) for part in (names, binary, unary))
    done = subprocess.run(
        [sys.executable, script, folder, *lists], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def hand_written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hall")
    (folder / "hall_of_fame.csv").write_text(HAND_WRITTEN)
    binary = [pysr_engine.JULIA_NAMES[name] for name in BINARY]
    return by_pysr(folder, NAMES, binary, UNARY)


def test_our_reader_agrees_with_pysr_on_every_operator(hand_written):
    records = hand_written["records"]
    front = read_front(records, NAMES, 30)
    assert [c.loss for c in front.found] == [row["loss"] for row in records]
    points = np.random.default_rng(0).normal(size=(20, 3))
    for candidate, values in zip(front.found, hand_written["values"], strict=True):
        ours = compile_program(candidate.expression, NAMES).numpy(list(points.T))
        np.testing.assert_allclose(ours, np.broadcast_to(values, ours.shape), rtol=1e-9)


def test_pysrs_own_table_is_read_but_for_an_operator_that_we_never_ask_for(tmp_path):
    names = ("f0", "f1", "f2", "f3", "f4")
    (tmp_path / "hall_of_fame.csv").write_text(pysr_own_table())
    theirs = by_pysr(tmp_path, names, ("+", "*", "/", "-", "^"), ("cos",))
    front = read_front(theirs["records"], names, 30)
    assert len(theirs["records"]) == 3
    known = theirs["sympy"][:2]  # not pow_abs
    assert [c.expression for c in front.found] == [parse(text, names) for text in known]


def test_tables_without_an_equation_of_ours_are_refused():
    with pytest.raises(EngineError, match="no usable equation"):
        read_front([{"complexity": 1, "loss": 1.0, "equation": "gamma(z0)"}], NAMES, 30)
    with pytest.raises(EngineError, match="the table is empty"):
        read_front([], NAMES, 30)


def test_keywords_exist_in_the_installed_source(hand_written):
    wanted = set(pysr_engine.regressor_options(SearchSpec()))
    assert wanted <= set(hand_written["parameters"])
    assert not wanted & set(hand_written["deprecated"])
    body = next(
        node
        for node in ast.parse((INSTALLED / "sr.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "PySRRegressor"
    )
    fit = next(m.args for m in body.body if isinstance(m, ast.FunctionDef) and m.name == "fit")
    assert "variable_names" in {a.arg for a in (*fit.args, *fit.kwonlyargs)}


def test_labels_are_fitted_under_the_logistic_loss():
    text = pysr_engine.regressor_options(SearchSpec(loss="logistic"))["elementwise_loss"]
    head, formula = text.split(" = ")
    assert head == "loss(z, y)"
    # Julia's max, log1p, exp and abs are Python's, so its arithmetic can be read by our parser
    formula = formula.replace("max(z, 0)", "(z + abs(z))/2").replace("log1p(", "log(1 + ")
    loss = compile_program(parse(formula, ("z", "y")), ("z", "y"))
    for z in (-30.0, -1.0, 0.0, 2.0, 30.0):
        for y in (0.0, 1.0):
            expected = math.log1p(math.exp(-z if y else z))
            assert loss.numpy([np.array([z]), np.array([y])])[0] == pytest.approx(expected)
    assert "^2" in pysr_engine.regressor_options(SearchSpec())["elementwise_loss"]


@pytest.fixture
def no_julia(monkeypatch, tmp_path):
    """A machine without Julia; juliapkg, if it is ever asked, works in an empty folder."""
    for name in list(os.environ):
        if name.startswith(("PYTHON_JULIA", "JULIA")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    monkeypatch.setattr(pysr_engine.sys, "prefix", str(tmp_path / "prefix"))
    return tmp_path


def fake_julia(folder, answer="julia version 1.11.2", status=0):
    """A program that says it is Julia and cannot do more."""
    path = folder / "julia"
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def reason():
    found = PySREngine().available()
    assert not found.ok
    return found.reason


@pytest.mark.parametrize("offline", ["", "yes"])
def test_nothing_is_imported_or_downloaded_where_no_julia_is(no_julia, monkeypatch, offline):
    monkeypatch.setenv("PYTHON_JULIAPKG_OFFLINE", offline)
    monkeypatch.setattr(pysr_engine, "_check_import", lambda: pytest.fail("PySR was imported"))
    assert "no Julia was found" in reason()
    assert not (no_julia / "project").exists()


def test_pysr_by_name_is_never_replaced(no_julia):
    with pytest.raises(EngineError, match=r"engine: pysr cannot run here \(no Julia was found"):
        select_engine("pysr")
    engine, why = select_engine("auto")
    assert engine.name == "operon"
    assert "PySR cannot run" in why


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("", 1, "is not a Julia executable"),
        ("hello", 0, "is not a Julia executable"),
        ("julia version 1.9.4", 0, "is Julia 1.9.4, expected 1.10.3 or newer"),
        ("julia version 2.0.0", 0, "below 2"),
    ],
)
def test_a_false_or_old_julia_is_told(no_julia, monkeypatch, answer, status, said):
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", fake_julia(no_julia, answer, status))
    assert said in reason()


def test_variables_that_name_julia_are_respected_and_checked(no_julia, monkeypatch):
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", "/nowhere/julia")
    assert "PYTHON_JULIAPKG_EXE=/nowhere/julia is not an executable" in reason()
    julia = fake_julia(no_julia)
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", julia)
    assert "must be set together" in reason()
    monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", "/nowhere/project")
    assert "PYTHON_JULIACALL_PROJECT=/nowhere/project is not a folder" in reason()
    monkeypatch.delenv("PYTHON_JULIAPKG_EXE")
    monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", str(no_julia))
    assert pysr_engine.find_julia() == julia


@pytest.mark.parametrize("way", ["juliapkg", "juliacall", "not started"])
def test_an_import_that_fails_is_told_not_raised(no_julia, monkeypatch, way):
    julia = fake_julia(no_julia)
    if way == "juliacall":
        monkeypatch.setenv("PYTHON_JULIACALL_EXE", julia)
        monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", str(no_julia))
    else:
        monkeypatch.setenv("PYTHON_JULIAPKG_EXE", julia)
    if way == "not started":
        monkeypatch.setenv("PYTHON_JULIACALL_INIT", "no")
    said = reason()
    assert "PySR cannot start Julia" in said
    assert ("AnyValue" in said) == (way == "not started")


def test_a_search_without_julia_is_an_error_of_the_engine(no_julia, monkeypatch):
    monkeypatch.setitem(sys.modules, "pysr", None)
    with pytest.raises(EngineError, match="PySR cannot be imported"):
        PySREngine().search(np.zeros((3, 3)), np.zeros(3), names=NAMES, spec=SearchSpec())


@pytest.mark.julia
@pytest.mark.skipif(pysr_engine.find_julia() is None, reason="no Julia: PySR's search is not run")
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_pysr_searches_where_julia_is(loss):
    found = PySREngine().available()
    if not found.ok:
        pytest.skip(found.reason)
    z = np.random.default_rng(0).normal(size=(300, 3))
    law = 2.9 * z[:, 0] * z[:, 1] - 1.1 * z[:, 2] ** 2 + 0.5
    target = law if loss == "squared" else (law > 0).astype(float)
    front = PySREngine().search(z, target, names=NAMES, spec=SearchSpec(generations=20, loss=loss))
    assert min(c.loss for c in front.found) < (1e-2 if loss == "squared" else 0.2)
