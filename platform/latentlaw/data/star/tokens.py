"""The tokens of a STAR file's row: found, replaced and written."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from latentlaw.errors import DataError

# A quoted token ends at a quote that white space follows (Hall & Spadaccini 1994, STAR).
_TOKEN = re.compile(r"""(?P<quote>["'])(?P<inner>.*?)(?P=quote)(?=\s|$)|[^\s]+""")
_NEEDS_QUOTES = re.compile(r"""$|["'#_;]|(data|loop|save|stop|global)_|.*\s""", re.IGNORECASE)
_MISSING = "<NA>"


def tokens_of(line: str) -> list[str]:
    """Return the tokens of a row without their quotes, up to a comment."""
    if '"' not in line and "'" not in line and "#" not in line:
        return line.split()
    return [match["inner"] if match["quote"] else match[0] for match in _matches(line)]


def _matches(line: str) -> list["re.Match[str]"]:
    """Return the tokens of a row up to a comment, if it ends in one."""
    found = []
    for match in _TOKEN.finditer(line):
        if match[0].startswith("#"):
            break
        found.append(match)
    return found


def edited(line: str, tokens: Mapping[int, str], added: str) -> str:
    """Put `tokens` in the place of those at the positions given, and `added` behind the last."""
    if not tokens and "#" not in line and line[-1:].strip():
        return line + added  # no comment, no white space behind
    matches = _matches(line)
    line = line[: matches[-1].end()] + added + line[matches[-1].end() :]
    for at in sorted(tokens, reverse=True):
        line = line[: matches[at].start()] + tokens[at] + line[matches[at].end() :]
    return line


def column_tokens(values: Iterable[Any]) -> list[str]:
    """Write the values of a column as tokens, numbers and texts that repeat by short ways.

    Raises
    ------
    DataError
        If a text holds a line break, or both kinds of quote.
    """
    column = list(values)
    kinds = set(map(type, column))
    if kinds == {float} and not any(map(math.isnan, column)):
        return [f"{value:.6f}" for value in column]
    if kinds == {str}:
        known = {text: token_of(text) for text in set(column)}
        return [known[text] for text in column]
    return [token_of(value) for value in column]


def token_of(value: object) -> str:
    """Write a value as a token.

    Raises
    ------
    DataError
        If its text has a line break or both kinds of quote, which no token can hold.
    """
    if value is None or value is pd.NA or value != value:
        return _MISSING
    if isinstance(value, float | np.floating):
        return f"{value:.6f}"
    text = str(value)
    if not _NEEDS_QUOTES.match(text):
        return text
    quote = next((q for q in "\"'" if q not in text), None)
    if quote is None or "\n" in text or "\r" in text:
        raise DataError(f"STAR: found a line break or both kinds of quote in {text!r}; rename it")
    return f"{quote}{text}{quote}"
