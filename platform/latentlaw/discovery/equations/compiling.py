"""From a SymPy expression to the program that evaluates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy

from latentlaw.discovery.equations.programs import Program, Step
from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES: dict[Any, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.tanh: "tanh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.Abs: "abs",
    sympy.sign: "sign",
}


def compile_program(expression: sympy.Expr, names: Sequence[str]) -> Program:
    """Return the program of `expression`, whose variable `i` is `names[i]`.

    Equal parts are evaluated once.

    Raises
    ------
    DataError
        If the expression holds a function or symbol that the program cannot evaluate.
    """
    index = {name: i for i, name in enumerate(names)}
    steps: list[Step] = []
    place: dict[sympy.Expr, int] = {}
    pending = [expression]  # no recursion: a long sum of products may be deep
    while pending:
        node = pending[-1]
        kind, argument, parts = _operation(node, index)
        waiting = [part for part in parts if part not in place]
        if waiting:
            pending += waiting
            continue
        pending.pop()
        if node not in place:
            place[node] = len(steps)
            steps.append(Step(kind, argument, tuple(place[part] for part in parts)))
    return Program(tuple(steps))


def _operation(node: sympy.Expr, index: dict[str, int]) -> tuple[str, Any, tuple[sympy.Expr, ...]]:
    """Return the kind of a node's step, its argument, and the parts to evaluate before it."""
    if node.is_Symbol and node.name in index:
        return "variable", index[node.name], ()
    if node.is_number:
        return "number", float(node), ()
    if node.is_Add or node.is_Mul:
        return ("add" if node.is_Add else "mul"), None, node.args
    if node.is_Pow and node.exp.is_number:
        power = int(node.exp) if node.exp.is_Integer else float(node.exp)
        return "pow", power, (node.base,)
    if node.func in NAMES:
        return NAMES[node.func], None, node.args
    raise DataError(f"expression: found {node}, expected arithmetic of numbers and latents")
