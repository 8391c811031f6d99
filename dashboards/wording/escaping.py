"""Text from runs made safe: names and tags are shown as they are, whatever they hold."""

import html
import re

from latentlaw.tracking.markdown import is_plain_latex, shorten

__all__ = ["for_markdown", "for_plotly", "is_plain_latex", "shorten"]

_LONGEST = 60
_LONGEST_PAGE = 20_000
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:&^=])")


def for_plotly(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Plotly, which reads tags, `$LaTeX$` and `%{templates}` in any string."""
    escaped = html.escape(shorten(text, longest), quote=False)
    return escaped.replace("$", "&#36;").replace("%", "&#37;")


def for_markdown(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Streamlit's Markdown: no tags, links, directives or LaTeX."""
    return _MARKDOWN.sub(r"\\\1", shorten(text, longest))


def safe_markdown(text: str) -> str:
    """Keep the layout of somebody's Markdown, without what would ask other machines for pictures.

    Streamlit itself shows HTML as text.
    """
    cut = text if len(text) <= _LONGEST_PAGE else text[:_LONGEST_PAGE] + "\n\n…"
    return cut.replace("![", r"\![")
