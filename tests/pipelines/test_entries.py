"""Entry points: parameters checked before work, project files that say the same as the code."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import latentlaw
import pytest
import yaml
from latentlaw.errors import ConfigError
from latentlaw.models.config import ModelConfig
from latentlaw.training.config import TrainConfig
from pydantic import BaseModel

from dashboards.wording import reference as words
from pipelines.cli.mlproject import ENTRIES, entry_class, mlproject
from pipelines.cli.parameters import parse, text_of, usage, words_of
from pipelines.cli.reference import reference
from pipelines.discovery.parameters import Discover
from pipelines.simulate import Simulate
from pipelines.training.parameters import Train

ROOT = Path(__file__).parents[2]
OURS = {"latentlaw", "pipelines", "dashboards"}


def test_values_are_parsed_by_their_type() -> None:
    train = parse(Train, ["--data", "d", "--affinity", "none", "--hold_out", "a, b"])
    assert (train.affinity, train.hold_out, train.pose_dims) == (None, ("a", "b"), "auto")
    assert parse(Simulate, ["--out", "o", "--shape", "32,48,64"]).shape == (32, 48, 64)
    assert parse(Discover, ["--model", "m", "--data", "d", "--epsilons", "0,0.5"]).epsilons == (
        0.0,
        0.5,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dat", "d"], r"unknown parameter 'dat' \(did you mean 'data'"),
        ([], "parameter 'data': Field required"),
        (["--data", "d", "--epochs", "abc"], "parameter 'epochs'.*found 'abc'"),
        (["--data", "d", "--epochs", "-1"], "parameter 'epochs'.*found '-1'"),
        (["--data", "d", "--learning_rate", "inf"], "parameter 'learning_rate'"),
        (["--data", "d", "--model", "vae"], "parameter 'model'"),
        (["--data", "d", "--data", "e"], "found twice"),
        (["--data"], "pairs of --key value"),
    ],
)
def test_bad_parameters_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(Train, arguments)


@pytest.mark.parametrize("name", ENTRIES)
def test_defaults_as_mlproject_writes_them_are_taken(name: str) -> None:
    entry = entry_class(name)
    given = {key: "x" for key, field in entry.model_fields.items() if field.is_required()}
    written = {
        key: text_of(field.default)
        for key, field in entry.model_fields.items()
        if not field.is_required()
    }
    arguments = [part for key, value in (given | written).items() for part in (f"--{key}", value)]
    assert parse(entry, arguments) == entry(**given)


@pytest.mark.parametrize("name", ENTRIES)
def test_help_describes_every_parameter(name: str) -> None:
    entry = entry_class(name)
    text = usage(entry)
    for key, field in entry.model_fields.items():
        assert field.description
        (line,) = (each for each in text.splitlines() if each.startswith(f"  --{key} "))
        assert all(str(word) in line for word in words_of(field.annotation))


@pytest.mark.parametrize("config", [TrainConfig, ModelConfig])
def test_train_has_the_defaults_of_what_it_configures(config: type[BaseModel]) -> None:
    shared = config.model_fields.keys() & Train.model_fields.keys()
    open_there = {name for name in shared if config.model_fields[name].is_required()}
    chosen = {name for name in shared if Train.model_fields[name].default in ("auto", "none")}
    assert len(shared - open_there - chosen) >= 8
    for name in shared - open_there - chosen:
        assert config.model_fields[name].default == Train.model_fields[name].default, name


def test_mlproject_is_made_from_the_parameters() -> None:
    assert (ROOT / "MLproject").read_text() == mlproject(), "run `make mlproject`"
    assert (ROOT / "docs" / "entries.md").read_text() == reference(), "run `make mlproject`"


def test_words_are_those_of_the_dashboard() -> None:
    assert (ROOT / "docs" / "words.md").read_text() == words.reference(), "run `make mlproject`"


def test_conda_environment_lists_the_packages_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    assert conda["dependencies"][-1]["pip"] == project["dependencies"]


def test_each_library_that_is_imported_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {*project["dependencies"], *extras["export"], *extras["pysr"], *extras["dev"]}
    declared = {re.split(r"[\[<>=]", each)[0].lower().replace("_", "-") for each in asked}
    owners = importlib.metadata.packages_distributions()
    for folder in ("platform", "pipelines", "dashboards"):
        for file in (ROOT / folder).rglob("*.py"):
            for module in imported(file) - sys.stdlib_module_names - OURS:
                names = {name.lower().replace("_", "-") for name in owners[module]}
                assert names & declared, f"{file} imports {module}, of {names}"


def imported(file: Path) -> set[str]:
    """Return the top-level names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_the_licence_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == latentlaw.LICENCE


def test_lock_pins_every_package_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "infra" / "requirements.lock").read_text().splitlines()
    }
    extras = project["optional-dependencies"]
    own = {f"latentlaw[{extra}]" for extra in extras}
    for requirement in {*project["dependencies"], *extras["dev"], *extras["export"]} - own:
        name = requirement.split(">")[0].split("=")[0].split("[")[0]
        assert name.lower() in locked


def test_platform_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    code = "import platform; print(platform.system())"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert found.stdout.strip()


def test_importing_an_entry_does_not_import_pysr() -> None:
    code = (
        "import sys, pipelines.main; sys.exit('pysr' in sys.modules or 'juliacall' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
