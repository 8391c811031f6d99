"""Public docstrings say the shapes of arrays and the errors raised; their examples are true."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from latentlaw import errors

ROOT = Path(__file__).parents[2] / "platform"
#: `(n, d)`, `(n,)`, `([z,] y, x)` or `(..., 4)`; or that shapes are any.
SHAPE = re.compile(r"`\(.*?(,|\.\.\.|…).*?\)`|\bshapes?\b")
ARRAY = re.compile(r"\b(NDArray|ndarray|Tensor)\b")
ERRORS = {name for name in vars(errors) if name.endswith("Error")}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[str]:
    files = sorted(ROOT.rglob("*.py"))
    return [str(file.relative_to(ROOT).with_suffix("")).replace("/", ".") for file in files]


def source(module: str) -> str:
    return (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Yield public functions, and methods of public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            yield node


def lacking(text: str) -> list[str]:
    """Return what the public docstrings of a module's source do not say."""
    found = []
    for function in public_functions(ast.parse(text).body):
        said = ast.get_docstring(function) or ""
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        types = [ast.unparse(a.annotation) for a in arguments if a.annotation]
        types += [ast.unparse(function.returns)] if function.returns else []
        if any(map(ARRAY.search, types)) and not SHAPE.search(said):
            found.append(f"{function.name}: no shape")
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                if name in ERRORS and name not in said:
                    found.append(f"{function.name}: no {name}")
    return found


def test_what_a_docstring_lacks_is_found() -> None:
    text = """
def norm(x: Tensor) -> float:
    '''Return the norm.'''
    raise DataError("x")
"""
    assert lacking(text) == ["norm: no shape", "norm: no DataError"]
    whole = text.replace("norm.", "norm of `(n, d)`; DataError if it is empty.")
    assert lacking(whole) == []


@pytest.mark.parametrize("module", modules())
def test_public_docstrings_say_shapes_and_errors(module: str) -> None:
    assert lacking(source(module)) == []


@pytest.mark.parametrize("module", [m for m in modules() if ">>> " in source(m)])
def test_examples_are_true(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted
    assert not outcome.failed
