"""A law as a fragment of a LaTeX document, with what its symbols mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from latentlaw.discovery.equations.expressions import symbol, to_latex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from latentlaw.discovery.equations.law import Law

_WIDTH = 70  # characters of a line, once it is typeset
_UNSEEN = re.compile(r"\\(left|right|cdot|frac)|[{}_^\s]|\\[,;!]")
_SPECIAL = {c: rf"\{c}" for c in "&%$#_{}"}
_SPECIAL |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def to_latex_fragment(law: Law, meanings: Mapping[str, str]) -> str:
    r"""Return text to `\input` into a document that uses `amsmath`.

    Parameters
    ----------
    law
        Of which each class's expression is written.
    meanings
        What latents were found to mean, by name; those that lack have none that is known.
    """
    lines = [
        rf"  f_{{\text{{{_escape(name)}}}}} &= {_broken(each.latex)}"
        for name, each in zip(law.class_names, law.classes, strict=True)
    ]
    said = (
        r"Of two classes, $f$ is the log-odds of the class and its probability is $1/(1+e^{-f})$."
        if len(law.classes) == 2
        else r"The probability of class $k$ is $e^{f_k} / \sum_j e^{f_j}$."
    )
    symbols = {name: f"${to_latex(symbol(name))}$" for name in law.latents_used}
    known = {name: meanings[name] for name in symbols if meanings.get(name)}
    items = [rf"  \item[{symbols[name]}] {_escape(text)}" for name, text in known.items()]
    listing = ["\\begin{description}", *items, "\\end{description}"] if items else []
    unknown = ", ".join(symbols[name] for name in symbols if name not in known)
    if unknown:
        listing.append(f"What {unknown} mean in an image is not known.")
    return "\n".join(
        [
            r"% A law of latents, made by latentlaw. Needs \usepackage{amsmath}.",
            r"\begin{align*}",
            " \\\\\n".join(lines),
            r"\end{align*}",
            f"{said} Where $f$ is undefined it counts as 0.",
            "Latents are means of the encoder's posterior and have no unit.",
            *listing,
            "",
        ]
    )


def _broken(latex: str) -> str:
    """Break a long sum before its terms."""
    lines = [""]
    for term in _terms(latex):
        if lines[-1] and _width(lines[-1] + term) > _WIDTH:
            lines.append("")
        lines[-1] += term
    return " \\\\\n  &\\quad ".join(line.strip() for line in lines)


def _width(latex: str) -> int:
    return len(_UNSEEN.sub("", latex))


def _terms(latex: str) -> list[str]:
    """Split a sum before each ` + ` and ` - ` that no bracket holds."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(latex):
        depth += {"{": 1, "}": -1, "(": 1, ")": -1, "[": 1, "]": -1}.get(character, 0)
        if depth == 0 and i > start and latex[i : i + 3] in (" + ", " - "):
            parts.append(latex[start:i])
            start = i
    return [*parts, latex[start:]]


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)
