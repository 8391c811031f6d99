"""Expressions as pages show them: the latents in them, and how they are typeset."""

import re
from collections.abc import Iterable

from latentlaw.discovery.equations.expressions import parse, to_latex
from latentlaw.errors import DataError

from dashboards.wording.escaping import is_plain_latex

# Characters that LaTeX reads as commands, in text.
_SPECIAL = str.maketrans(
    {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
_VARIABLE = re.compile(r"\bz\d{1,4}\b")


def latents_in(text: str) -> list[str]:
    """List the latents that an expression's text names, in order."""
    return sorted(set(_VARIABLE.findall(text)), key=lambda name: int(name[1:]))


def typeset(text: str) -> str | None:
    """Return the LaTeX of an expression; None of what is none, which is shown as it stands."""
    try:
        latex: str = to_latex(parse(text, latents_in(text)))
    except DataError:
        return None
    return latex if is_plain_latex(latex) else None


def latex_lines(laws: Iterable[tuple[str, str]]) -> str:
    """Return laws as lines of an `align` environment, for a paper.

    Parameters
    ----------
    laws
        Pairs of a class's name, which may hold anything, and the LaTeX of its expression.
    """
    lines = [rf"\text{{{name.translate(_SPECIAL)}}} &= {latex}" for name, latex in laws]
    body = " \\\\\n".join(lines)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}\n"
