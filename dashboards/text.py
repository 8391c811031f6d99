"""Text from runs made safe: names and tags are shown as they are, whatever they hold."""

import html
import re

from latentlaw.tracking.markdown import is_plain_latex, shorten

__all__ = ["for_markdown", "for_plotly", "is_plain_latex", "shorten"]

_LONGEST = 60
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:&^=])")


def for_plotly(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Plotly, which reads tags, `$LaTeX$` and `%{templates}` in any string."""
    escaped = html.escape(shorten(text, longest), quote=False)
    return escaped.replace("$", "&#36;").replace("%", "&#37;")


def for_markdown(text: object, longest: int = _LONGEST) -> str:
    """Escape `text` for Streamlit's Markdown: no tags, links, directives or LaTeX."""
    return _MARKDOWN.sub(r"\\\1", shorten(text, longest))
