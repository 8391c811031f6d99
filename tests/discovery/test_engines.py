import inspect
import subprocess
import sys

import numpy as np
import pytest
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import to_text
from latentlaw.discovery.search.engines import pysr as pysr_engine
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.operon import OperonEngine, _regressor, to_sympy
from latentlaw.discovery.search.engines.selection import select_engine
from latentlaw.errors import ConfigError, EngineError

NAMES = ("z0", "z1", "z2")


def problem(n=300):
    z = np.random.default_rng(0).normal(size=(n, 3))
    return z, 2.9 * z[:, 0] * z[:, 1] - 1.1 * z[:, 2] ** 2 + 0.5


def test_operon_finds_the_law_and_repeats_for_any_threads():
    z, y = problem()
    fronts = [
        OperonEngine().search(
            z, y, names=NAMES, spec=SearchSpec(generations=15, population=300, threads=t)
        )
        for t in (1, 2)
    ]
    texts = [[to_text(c.expression) for c in front.found] for front in fronts]
    assert texts[0] == texts[1]
    best = min(fronts[0].found, key=lambda c: c.loss)
    assert best.loss < 1e-4
    exact = [c for c in fronts[0].found if c.loss < 1e-4]
    assert min(c.complexity for c in exact) <= 14


def test_operon_trees_become_the_same_function():
    z, y = problem()
    operators = ("add", "sub", "mul", "div", "square", "exp", "sin", "cos", "tanh", "abs")
    spec = SearchSpec(operators=operators, generations=4)
    model = _regressor(spec).fit(z, y)
    for entry in model.pareto_front_:
        expression = to_sympy(entry["tree"], model.variables_, NAMES)
        ours = compile_program(expression, NAMES).numpy(list(z.T))
        theirs = model.evaluate_model(entry["tree"], z)
        assert np.median(abs(ours - theirs) / (1e-3 + abs(theirs))) < 1e-4


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(ConfigError, match="operon"):
        select_engine("opreon")
    with pytest.raises(ConfigError, match=r"found 'tan'.*tanh"):
        SearchSpec(operators=("add", "tan"))
    with pytest.raises(ConfigError, match="found no binary one, expected some of add"):
        SearchSpec(operators=("tanh",))


def test_operon_takes_labels_of_one_and_zero():
    z, y = problem()
    spec = SearchSpec(generations=5, population=100, threads=1, loss="logistic")
    front = OperonEngine().search(z, (y > 0).astype(float), names=NAMES, spec=spec)
    best = min(front.found, key=lambda c: c.loss).expression
    values = compile_program(best, NAMES).numpy(list(z.T))
    assert ((values > 0) == (y > 0)).mean() > 0.7


def test_pysr_by_name_is_never_replaced(monkeypatch):
    monkeypatch.setattr(pysr_engine, "find_julia", lambda: None)
    with pytest.raises(EngineError, match=r"engine: pysr cannot run here"):
        select_engine("pysr")
    engine, reason = select_engine("auto")
    assert engine.name == "operon"
    assert "PySR cannot run" in reason


def test_importing_discovery_starts_no_julia_and_equations_need_no_torch():
    code = (
        "import sys; import latentlaw.discovery.equations.model as e; "
        "assert not {'torch', 'sklearn', 'pyoperon'} & set(sys.modules), 'heavy'; "
        "import latentlaw.discovery.discover, latentlaw.discovery.search.engines.pysr; "
        "assert not {'pysr', 'juliacall', 'juliapkg'} & set(sys.modules), 'julia'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_protocol_is_met():
    for engine in (OperonEngine(), pysr_engine.PySREngine()):
        assert set(inspect.signature(engine.search).parameters) == {
            "latents",
            "target",
            "names",
            "spec",
        }
