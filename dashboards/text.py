"""Text from runs made safe: names and tags are shown as they are, whatever they hold."""

import html
import re

_LONGEST = 60
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:&^=])")


def shorten(text: object, longest: int = _LONGEST) -> str:
    """Put `text` on one line of at most `longest` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def for_plotly(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Plotly, which reads tags, `$LaTeX$` and `%{templates}` in any string."""
    escaped = html.escape(shorten(text, longest), quote=False)
    return escaped.replace("$", "&#36;").replace("%", "&#37;")


def for_markdown(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Streamlit's Markdown: no tags, links, directives or LaTeX."""
    return _MARKDOWN.sub(r"\\\1", shorten(text, longest))


def safe_markdown(text: str, longest: int = 20_000) -> str:
    """Keep the layout of somebody's Markdown, without what would ask other machines for pictures.

    Streamlit itself shows HTML as text.
    """
    cut = text if len(text) <= longest else text[:longest] + "\n\n…"
    return cut.replace("![", r"\![")


def is_plain_latex(latex: str) -> bool:
    """Tell whether `latex` can be typeset within `$$ … $$` without leaving it."""
    return 0 < len(latex) <= 4000 and "$" not in latex and "\n\n" not in latex
