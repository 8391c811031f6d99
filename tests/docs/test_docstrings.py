"""Docstrings say shapes of arrays, errors raised and all parameters; their examples are true."""

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
#: What the entries of a docstring's parameters are, up to the next heading.
SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", re.DOTALL | re.MULTILINE)
#: Packages where a section of parameters names all of them; add one once it does.
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


def arguments(function: Function) -> list[ast.arg]:
    """Return the parameters of a function in their order, and `self`."""
    of = function.args
    several = [each for each in (of.vararg, of.kwarg) if each]
    return of.posonlyargs + of.args + of.kwonlyargs + several


def lacking(text: str) -> list[str]:
    """Return what the public docstrings of a module's source do not say."""
    found = []
    for function in public_functions(ast.parse(text).body):
        said = ast.get_docstring(function) or ""
        types = [ast.unparse(a.annotation) for a in arguments(function) if a.annotation]
        types += [ast.unparse(function.returns)] if function.returns else []
        if any(map(ARRAY.search, types)) and not SHAPE.search(said):
            found.append(f"{function.name}: no shape")
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                if name in ERRORS and name not in said:
                    found.append(f"{function.name}: no {name}")
    return found


def parameters(node: Function | ast.ClassDef) -> set[str]:
    """Return the names of what a function takes, or the `__init__` of a class."""
    if isinstance(node, Function):
        return {each.arg for each in arguments(node)} - {"self", "cls"}
    inits = [each for each in node.body if isinstance(each, Function) and each.name == "__init__"]
    return set().union(*map(parameters, inits))


def misnamed(text: str) -> list[str]:
    """Return parameters that a section of them leaves out, and names in it that are none."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function | ast.ClassDef):
            section = SECTION.search(ast.get_docstring(node) or "")
            heads = re.findall(r"^\S.*", section[1], re.MULTILINE) if section else []
            named = {name for head in heads for name in head.split(", ")}
            wrong = named ^ parameters(node) if section else ()
            found += [f"{node.name}: {name}" for name in sorted(wrong)]
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


def test_parameters_that_a_section_leaves_out_are_found() -> None:
    text = """
class Ball:
    '''A ball.

    Parameters
    ----------
    radius, centre
        In angstrom.

    Attributes
    ----------
    volume
        In cubic angstrom.
    '''

    def __init__(self, radius: float, colour: str) -> None: ...

    def turn(self, angle: float) -> None:
        '''Turn it; it has no section.'''


def draw(*balls: Ball, **looks: str) -> None:
    '''Draw them.

    Parameters
    ----------
    balls
        At least one.
    '''
"""
    assert misnamed(text) == ["Ball: centre", "Ball: colour", "draw: looks"]


@pytest.mark.parametrize("module", modules())
def test_a_section_of_parameters_names_all_of_them(module: str) -> None:
    assert misnamed(source(module)) == []


@pytest.mark.parametrize("module", modules())
def test_public_docstrings_say_shapes_and_errors(module: str) -> None:
    assert lacking(source(module)) == []


@pytest.mark.parametrize("module", [m for m in modules() if ">>> " in source(m)])
def test_examples_are_true(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted
    assert not outcome.failed
