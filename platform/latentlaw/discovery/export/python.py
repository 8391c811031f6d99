"""A law as a Python module that needs no library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from latentlaw.discovery.equations.programs import LIMIT
from latentlaw.discovery.export.statements import Syntax, scored, statements

if TYPE_CHECKING:
    from latentlaw.discovery.equations.law import Law

_DOCSTRING = '''"""A law of latents: `classify(z)` tells the class of one particle.

`z` are the latents of a particle, plain floats in the order of `LATENTS`, and what is returned is
in the order of `CLASSES`. Made by latentlaw; needs no library.
"""

import math
'''
_BOUNDED = f"""

def _bounded(x):
    return 0.0 if x != x else max(-{LIMIT!r}, min({LIMIT!r}, x))
"""
#: IEEE 754 arithmetic, as numpy does it, where Python would raise.
_HELPERS = {
    "pow": """

def _pow(x, p):
    if x < 0 and p != int(p):
        return math.nan
    try:
        return x**p
    except (OverflowError, ZeroDivisionError):
        negative = math.copysign(1.0, x) < 0 and p % 2 == 1
        return -math.inf if negative else math.inf
""",
    "exp": """

def _exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
""",
    "log": """

def _log(x):
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan
""",
    "sin": """

def _sin(x):
    return math.nan if math.isinf(x) else math.sin(x)
""",
    "cos": """

def _cos(x):
    return math.nan if math.isinf(x) else math.cos(x)
""",
    "sign": """

def _sign(x):
    return x if x != x else float((x > 0) - (x < 0))
""",
}
_POSTLUDE = '''

def probabilities(z):
    """Return the probability of each class."""
    found = logits(z)
    weights = [math.exp(value - max(found)) for value in found]
    return [weight / sum(weights) for weight in weights]


def classify(z):
    """Return the name of the most probable class; of equal ones the first."""
    found = logits(z)
    return CLASSES[found.index(max(found))]
'''


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"float({str(value)!r})"


_CALLS = {name: f"_{name}" for name in (*_HELPERS, "bounded")}
_CALLS |= {"tanh": "math.tanh", "abs": "abs"}
_SYNTAX = Syntax(assign="{name} = {value}", number=_number, calls=_CALLS)


def to_python(law: Law) -> str:
    """Return the source of a module whose `logits(z)` gives the logit of each class.

    Beside it are `probabilities(z)` and `classify(z)`. `z` holds one particle's latents, in the
    order of `LATENTS`.
    """
    heads = scored(law)
    names = [f"f{k}" for k in range(len(heads))]
    lines = [
        f"LATENTS = {list(law.latent_names)!r}",
        f"CLASSES = {list(law.class_names)!r}",
        "",
        "",
        "def logits(z):",
        '    """Return the logit of each class."""',
    ]
    for name, head in zip(names, heads, strict=True):
        lines.append(f"    # {head.expression}")
        lines += [f"    {line}" for line in statements(head.program, _SYNTAX, name)]
    values = ["-f0 / 2", "f0 / 2"] if len(names) == 1 else names
    lines.append(f"    return [{', '.join(values)}]")
    used = {step.kind for head in heads for step in head.program.steps}
    helpers = [_BOUNDED, *(text for name, text in _HELPERS.items() if name in used)]
    return "".join((_DOCSTRING, *helpers, "\n\n", "\n".join(lines), "\n", _POSTLUDE))
