"""A model of equations in other hands: a torch module, and Python source that needs no library.

`EquationModel.expressions` are SymPy, `to_latex` typesets them, and `EquationModel.logits` is the
numpy function; all of them agree to 1e-6 where a value is defined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from latentlaw.discovery.compiling import compile_program
from latentlaw.discovery.expressions import to_text
from latentlaw.discovery.programs import LIMIT, Program, Step

if TYPE_CHECKING:
    import sympy
    from torch import Tensor

    from latentlaw.discovery.equations import EquationModel

# IEEE 754 arithmetic, as numpy does it, where Python would raise.
PRELUDE = f"""import math


def _bounded(x):
    return 0.0 if x != x else max(-{LIMIT!r}, min({LIMIT!r}, x))


def _pow(x, p):
    if x < 0 and p != int(p):
        return math.nan
    try:
        return x**p
    except (OverflowError, ZeroDivisionError):
        negative = math.copysign(1.0, x) < 0 and p % 2 == 1
        return -math.inf if negative else math.inf


def _exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x):
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _sin(x):
    return math.nan if math.isinf(x) else math.sin(x)


def _cos(x):
    return math.nan if math.isinf(x) else math.cos(x)


def _sign(x):
    return float((x > 0) - (x < 0))
"""
CALLS = {"exp": "_exp", "log": "_log", "sin": "_sin", "cos": "_cos", "sign": "_sign"}
CALLS |= {"tanh": "math.tanh", "abs": "abs"}


class EquationModule(nn.Module):
    """The equations as a torch module: latents `(n, d)` to logits `(n, K)`, differentiable."""

    def __init__(self, model: EquationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        """Return logits `(n, K)` of latents `z` `(n, d)`."""
        return self.model.torch_logits(z)


def to_python(model: EquationModel) -> str:
    """Return the source of a module whose `logits(z)` gives the logit of each class.

    `z` holds one particle's latents, in the order of `LATENTS`; plain floats, no library.
    """
    lines = [
        f"LATENTS = {list(model.latent_names)!r}",
        f"CLASSES = {list(model.class_names)!r}",
        "",
        "",
        "def logits(z):",
    ]
    values = []
    for k, head in enumerate(model.heads):
        lines.append(f"    # {to_text(head)}")
        lines += [f"    {line}" for line in _statements(head, model.latent_names, f"f{k}")]
        values.append(f"f{k}")
    if len(values) == 1:
        values = ["-f0 / 2", "f0 / 2"]
    lines.append(f"    return [{', '.join(values)}]")
    return f"{PRELUDE}\n\n" + "\n".join(lines) + "\n"


def _statements(head: sympy.Expr, names: tuple[str, ...], result: str) -> list[str]:
    """Return one assignment an operation, the last of the bounded value to `result`."""
    program: Program = compile_program(head, names)
    texts: list[str] = []
    lines = []
    for i, step in enumerate(program.steps):
        if step.operands:
            name = f"{result}_{i}"
            lines.append(f"{name} = {_operation(step, [texts[j] for j in step.operands])}")
            texts.append(name)
        else:
            texts.append(
                f"z[{step.argument}]" if step.kind == "variable" else f"{step.argument!r}"
            )
    return [*lines, f"{result} = _bounded({texts[-1]})"]


def _operation(step: Step, operands: list[str]) -> str:
    if step.kind in ("add", "mul"):
        return (" + " if step.kind == "add" else " * ").join(operands)
    if step.kind == "pow":
        return f"_pow({operands[0]}, {step.argument!r})"
    return f"{CALLS[step.kind]}({operands[0]})"
