"""Markdown of what users named: text that stays text, and tables."""

import re
from collections.abc import Iterable, Sequence

_LONGEST = 60
#: What begins an element within a line, and what GitHub's Markdown makes links of.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|$~&@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def shorten(text: object, longest: int = _LONGEST) -> str:
    """Put `text` on one line of at most `longest` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def escape(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for the inside of a line of Markdown: no tags, links, LaTeX or cells."""
    return _SPECIAL.sub(r"\\\1", shorten(text, longest))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def is_plain_latex(latex: str) -> bool:
    """Tell whether `latex` can be typeset within `$$ … $$` without leaving it."""
    return 0 < len(latex) <= 4000 and "$" not in latex and "\n\n" not in latex
