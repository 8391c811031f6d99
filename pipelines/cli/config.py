"""Parameters from a YAML file, of which nothing is taken but plain names and values."""

from pathlib import Path
from typing import Any

import yaml
from latentlaw.errors import ConfigError

_MOST_BYTES = 2**16
_DEEPEST = 2  # a list as the value of a name


def read_config(path: Path, *, name: str = "config", deepest: int = _DEEPEST) -> dict[str, Any]:
    """Read parameters, `name: value` a line; their types are checked where they are used.

    Parameters
    ----------
    name
        Of the parameter that the file is given by, for messages.
    deepest
        How deep lists and mappings may lie in one another.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not of names and values, repeats one, or uses aliases or
        tags.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: {path}: cannot be read ({error.strerror})") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"{name}: {path}: found {len(content)} bytes, expected a list of parameters"
        )
    try:
        _check_plain(path, content, name, deepest)
        found = yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{name}: {path}{line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(
            f"{name}: {path}: cannot be read as YAML ({str(error).splitlines()[0]})"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        kind = type(found).__name__
        raise ConfigError(f"{name}: {path}: found {kind}, expected lines `name: value`")
    return found


def _check_plain(path: Path, content: bytes, name: str, deepest: int) -> None:
    """Refuse what makes YAML outgrow memory or time, aliases and depth, and names that repeat."""
    depth = 0
    for event in yaml.parse(content, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            raise ConfigError(f"{name}: {path}: found lists in lists, expected plain values")
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{name}: {path}: found alias *{event.anchor}, expected a value")
    seen = set()
    root = yaml.compose(content, yaml.SafeLoader)
    for key, _ in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value in seen:
            line = key.start_mark.line + 1
            raise ConfigError(
                f"{name}: {path}, line {line}: found key {key.value!r} twice, expected once"
            )
        seen.add(key.value)
