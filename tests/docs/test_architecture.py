"""What docs/architecture.md and docs/mechanisms.md name is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("architecture.md", "mechanisms.md")
HOP = re.compile(r"`((?:\w+/)+\w+\.py)(?::(\w+))?`")
LINES = 80


def find(path: str) -> Path:
    """Return a file that a page names, of the package or beside it."""
    package = ROOT / "platform" / "latentlaw"
    return next((each for each in (package / path, ROOT / path) if each.exists()), ROOT / path)


def defined(file: Path) -> set[str]:
    """Return the names of a module's functions and classes."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {each.name for each in ast.parse(file.read_text()).body if isinstance(each, kinds)}


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_what_is_called_there_exist(page: str) -> None:
    hops = HOP.findall((ROOT / "docs" / page).read_text())
    assert hops
    assert [path for path, _ in hops if not find(path).is_file()] == []
    assert [f"{p}:{name}" for p, name in hops if name and name not in defined(find(p))] == []


def test_every_folder_of_the_table_exists_and_none_is_left_out() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    named = {folder for names, _ in rows for folder in re.findall(r"`(\w+)/`", names)}
    package = ROOT / "platform" / "latentlaw"
    assert named == {each.parent.name for each in package.glob("*/__init__.py")} | {
        "pipelines",
        "dashboards",
    }
    for names, text in rows:
        (*_, folder) = re.findall(r"`(\w+)/`", names)
        inside = {each.parent.name for each in find(folder).glob("*/__init__.py")}
        assert inside <= set(re.findall(r"`(\w+)`", text)), folder


def test_the_architecture_is_a_page() -> None:
    assert len((ROOT / "docs" / "architecture.md").read_text().splitlines()) <= LINES
