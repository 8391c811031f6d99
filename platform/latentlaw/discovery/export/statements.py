"""What exports of a law to programming languages share: a line for each step of its programs.

A target is a module of its own: `python.py`, `c.py`; papers have `latex.py`.
All agree with `Law` to 1e-6, also where an expression is undefined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from latentlaw.discovery.equations.law import ClassLaw, Law
    from latentlaw.discovery.equations.programs import Program, Step


@dataclass(frozen=True)
class Syntax:
    """How a language writes what a program does.

    Attributes
    ----------
    assign
        A line that gives a new name its value, with `{name}` and `{value}`.
    number
        Writes a constant.
    calls
        The name of each function of one number, and of `pow` and `bounded`.
    """

    assign: str
    number: Callable[[float], str]
    calls: Mapping[str, str]


def scored(law: Law) -> tuple[ClassLaw, ...]:
    """Return the classes whose expressions are computed: of two the second alone, the log-odds."""
    return law.classes[1:] if len(law.classes) == 2 else law.classes


def statements(program: Program, syntax: Syntax, result: str) -> list[str]:
    """Return one assignment per operation, the last of the bounded value to `result`."""
    texts: list[str] = []
    lines = []
    for i, step in enumerate(program.steps):
        if step.kind == "variable":
            texts.append(f"z[{step.argument}]")
        elif step.kind == "number":
            texts.append(syntax.number(step.argument))
        else:
            value = _operation(step, [texts[j] for j in step.operands], syntax)
            texts.append(f"{result}_{i}")
            lines.append(syntax.assign.format(name=texts[-1], value=value))
    value = f"{syntax.calls['bounded']}({texts[-1]})"
    return [*lines, syntax.assign.format(name=result, value=value)]


def _operation(step: Step, operands: list[str], syntax: Syntax) -> str:
    if step.kind in ("add", "mul"):
        return (" + " if step.kind == "add" else " * ").join(operands)
    if step.kind == "pow":
        return f"{syntax.calls['pow']}({operands[0]}, {syntax.number(step.argument)})"
    return f"{syntax.calls[step.kind]}({operands[0]})"
