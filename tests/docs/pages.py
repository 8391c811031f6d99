"""Pages of the documentation as one shell session: their fences, run in order, and their output.

A fence of `sh` is what a user types, one of `python` a script. A fence of `text` after them is
what they print, of which each line must come in that order, where a number stands for any number
and `…` for anything. A fence without a language is not compared.
`<!-- expect: NAME > NUMBER -->` says what the number that was printed
after NAME must be.
"""

import operator
import re
import shlex
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- expect: (.*?) -->$", re.MULTILINE | re.DOTALL)
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_MARK = "\x1e"
_COMPARE = {">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Fence:
    """A fence of a page, its language (`expect` for a comment), and the line that it begins at."""

    language: str
    content: str
    line: int


def fences(page: str) -> list[Fence]:
    """Find the fences and expectations of a page, in order."""
    found = []
    for match in _FENCE.finditer(page):
        language, content, expected = match.groups()
        line = page.count("\n", 0, match.start()) + 1
        found.append(Fence(language or "expect", content or expected, line))
    return found


def pictures(page: str) -> list[str]:
    """Names of the pictures that a page shows."""
    return re.findall(r"!\[[^\]]*\]\(([\w-]+\.png)\)", page)


def session(page: str) -> str:
    """Make a bash script of a page, which ends at the first command that fails.

    Before the output of each fence comes a mark and the fence's line.
    """
    lines = ["set -euo pipefail", "trap 'jobs -p | xargs -r kill 2>/dev/null' EXIT"]
    for fence in fences(page):
        if fence.language in ("sh", "python"):
            lines.append(f"echo {shlex.quote(_MARK)}{fence.line}")
            python = fence.language == "python"
            lines.append(
                f"python - <<'PYTHON'\n{fence.content}PYTHON" if python else fence.content
            )
    return "\n".join(lines)


def outputs(printed: str) -> dict[int, str]:
    """Cut what a session printed by the lines of its fences."""
    parts = re.split(rf"^{_MARK}(\d+)\n", printed, flags=re.MULTILINE)
    return dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))


def differences(page: str, printed: str) -> list[str]:
    """Say in what the output differs from what the page shows and expects."""
    by_line, output, wrong = outputs(printed), "", []
    for fence in fences(page):
        if fence.language in ("sh", "python"):
            output = by_line.get(fence.line, "")
        elif fence.language == "text":
            wrong += [
                f"line {fence.line}: not printed: {line}" for line in _missing(fence, output)
            ]
        elif fence.language == "expect" and not _met(fence.content, output):
            wrong.append(f"line {fence.line}: not met: {fence.content}")
    return wrong


def _missing(fence: Fence, output: str) -> list[str]:
    """Lines of a fence of `text` that are not in the output, after the line before."""
    missing, left = [], output.splitlines()
    for line in filter(None, map(str.strip, fence.content.splitlines())):
        pattern = re.compile(_pattern(line))
        at = next(
            (i for i, printed in enumerate(left) if pattern.fullmatch(printed.strip())), None
        )
        if at is None:
            missing.append(line)
        else:
            left = left[at + 1 :]
    return missing


def _pattern(line: str) -> str:
    """Return a pattern of lines like `line`: numbers are any, `…` is anything."""
    parts = re.split(rf"(…|\s+|{_NUMBER})", line)
    return "".join(
        ".*"
        if part == "…"
        else r"\s+"
        if part.isspace()
        else _NUMBER
        if re.fullmatch(_NUMBER, part)
        else re.escape(part)
        for part in parts
    )


def _met(expected: str, output: str) -> bool:
    """Whether the last number that was printed after a name is as expected."""
    name, sign, bound = expected.rsplit(" ", 2)
    found = re.findall(rf"{re.escape(name)}:?\s+({_NUMBER})", output)
    return bool(found) and _COMPARE[sign](float(found[-1]), float(bound))
