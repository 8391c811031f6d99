"""Expressions that overflow, divide by zero, are huge or are not arithmetic do no harm."""

import runpy

import numpy as np
import pytest
import torch
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import parse, to_text
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.discovery.equations.programs import LIMIT, Program
from latentlaw.discovery.export.python import to_python
from latentlaw.errors import DataError

NAMES = ("z0", "z1", "z2")
POINTS = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    ("text", "value", "rate"),
    [("exp(1000.0*z0)", LIMIT, 0.0), ("1/z1", LIMIT, 0.0), ("log(-z0)", 0.0, 1.0)],
)
def test_row_55_overflow_and_division_by_zero_stay_finite(text, value, rate, tmp_path):
    model = EquationModel(("no", "yes"), NAMES, (parse(text, NAMES),))
    z = np.array([[2.0, 0.0, 1.0]])
    assert model.logits(z)[0, 1] == value / 2
    assert model.nan_rate(z) == rate
    assert model.torch_logits(torch.from_numpy(z))[0, 1] == value / 2
    (tmp_path / "law.py").write_text(to_python(model.law), encoding="utf-8")
    assert runpy.run_path(str(tmp_path / "law.py"))["logits"](z[0].tolist())[1] == value / 2


def test_row_55_a_thousand_nodes_are_read_and_evaluated():
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


@pytest.mark.parametrize(
    "text",
    [
        "__import__('pathlib').Path('ran').touch()",
        "open('ran', 'w')",
        "z0.__class__",
        "(lambda: z0)()",
        "[z0 for z0 in (1, 2)][0]",
        "exp(z0, evaluate=open('ran', 'w'))",
        "z0 if z1 else z2",
        "f'{z0}'",
        "True",
        "z9",
        "9**9**9**9",
        "z0**z1",
        "1/0",
        "sqrt(-1)",
    ],
)
def test_row_55_what_is_no_arithmetic_is_refused_and_never_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        parse(text, NAMES)
    record = EquationModel(("no", "yes"), NAMES, (parse("z0", NAMES),)).to_dict()
    with pytest.raises(DataError):
        EquationModel.from_dict(record | {"expressions": ["z0", text]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "step", [["__import__", "os", [0]], ["getattr", None, [0]], ["add", None, [7]], ["exp"]]
)
def test_row_55_steps_of_a_stored_law_are_arithmetic(step):
    with pytest.raises(DataError, match="program: step 1"):
        Program.from_list([["variable", 0, []], step], variables=3)


def test_row_55_what_is_too_large_or_deep_is_refused():
    def balanced(count):
        return "z0" if count == 1 else f"({balanced(count // 2)}+{balanced(count - count // 2)})"

    with pytest.raises(DataError, match="at most"):
        parse(balanced(2048), NAMES)
    with pytest.raises(DataError, match="cannot be read"):
        parse("tanh(" * 150 + "z0" + ")" * 150 + "+" + "-" * 3000 + "z1", NAMES)
