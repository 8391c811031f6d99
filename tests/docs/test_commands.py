"""Every command of README and docs is one that its entry point takes."""

import re
import shlex
from pathlib import Path

import pytest

from pipelines.cli.mlproject import ENTRIES, entry_class
from pipelines.cli.parameters import parse

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
MLFLOW = re.compile(r"mlflow run \. --env-manager=local([^`\n|)>&]*)")
MODULE = re.compile(r"-m pipelines\.(\w+)((?: --(?!config)[^`\n|)>&]*)?)")


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Return entry and arguments of each command of a page; what is left open (…) is left out."""
    text = page.replace("\\\n", " ").replace("$SEED", "0")  # any
    found = []
    for match in MLFLOW.finditer(text):
        words = shlex.split(match[1], comments=True)
        pairs = dict(zip(words[::2], words[1::2], strict=False))
        values = [
            word for flag, word in zip(words[::2], words[1::2], strict=False) if flag == "-P"
        ]
        split = [part for value in values for part in value.partition("=")[::2]]
        arguments = [f"--{part}" if i % 2 == 0 else part for i, part in enumerate(split)]
        found.append((pairs.get("-e", "main"), arguments))
    found += [
        (match[1], shlex.split(match[2], comments=True))
        for match in MODULE.finditer(text)
        if match[2]  # else the module is spoken of
    ]
    return [
        (entry, arguments)
        for entry, arguments in found
        if not any(open_ in part for part in (entry, *arguments) for open_ in ("…", "NAME"))
    ]


def test_commands_of_a_page_are_found() -> None:
    page = "`mlflow run . --env-manager=local -e train -P data=a -P seed=1`, `… -P x=…`\n"
    assert commands(page) == [("train", ["--data", "a", "--seed", "1"])]
    assert commands("python -m pipelines.doctor --deep true # all") == [
        ("doctor", ["--deep", "true"])
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_taken(page: Path) -> None:
    for entry, arguments in commands(page.read_text()):
        if arguments[:1] == ["--help"]:
            continue
        assert entry in ENTRIES, entry
        parse(entry_class(entry), arguments)
